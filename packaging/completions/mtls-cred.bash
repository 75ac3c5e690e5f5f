# SPDX-License-Identifier: Apache-2.0
# bash completion for mtls-cred(1); to be loaded by bash-completion, or sourced.

_mtls_cred() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb='' words='-d --dir --help' i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d | --dir)
			[ "${COMP_WORDS[i + 1]}" != = ] || ((i++))
			((i++))
			;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	if [ "$current" = = ]; then
		current=
	elif [ "$previous" = = ]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $previous in
	-d | --dir)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	--pass-file)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--type)
		mapfile -t COMPREPLY < <(compgen -W 'ec rsa ed25519' -- "$current")
		return
		;;
	--starttls)
		mapfile -t COMPREPLY < <(compgen -W 'smtp imap postgres' -- "$current")
		return
		;;
	--cn | --days | --key-uri) return ;;
	esac
	case $verb in
	'') words+=' --version new import show check remove probe path' ;;
	new) words+=' --cn --self-signed --csr --days --type --key-uri --force' ;;
	import)
		words+=' --pass-file --force'
		if [[ $current != -* ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
		fi
		;;
	show) words+=' --json --prometheus' ;;
	probe)
		words+=' --starttls'
		if [[ $current != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
			return
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _mtls_cred mtls-cred
