# SPDX-License-Identifier: Apache-2.0
# bash completion for mtls-run(1); to be loaded by bash-completion, or sourced.

_mtls_run() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d | --dir | -c | --cert | -k | --key | --pass-file | --host | --issuer | --only-if | --log)
			[ "${COMP_WORDS[i + 1]}" != = ] || ((i++))
			((i++))
			;;
		--agent) # its value follows = only, a word of its own here
			[ "${COMP_WORDS[i + 1]}" != = ] || ((i += 2))
			;;
		--)
			((i++))
			break
			;;
		-*) ;;
		*) break ;;
		esac
	done
	# From here on it is the program's own command line.
	if [ "$i" -lt "$COMP_CWORD" ] || [[ $i == "$COMP_CWORD" && ($previous == -- || $current != -*) && $current != = ]]; then
		if declare -F _command_offset >/dev/null; then
			_command_offset "$i"
		elif [ "$i" = "$COMP_CWORD" ]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$current")
		else
			compopt -o default
		fi
		return
	fi
	if [ "$current" = = ]; then
		current=
	elif [ "$previous" = = ]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	elif [ "$previous" = --agent ]; then
		previous=
	fi
	case $previous in
	-d | --dir)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		;;
	-c | --cert | -k | --key | --pass-file | --agent | --log)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	--host) ;;
	--issuer) mapfile -t COMPREPLY < <(compgen -W 'any match' -- "$current") ;;
	--only-if) mapfile -t COMPREPLY < <(compgen -W 'verified tls1.3' -- "$current") ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W '-d --dir -c --cert -k --key --pass-file --host --issuer --only-if --log
			--agent -v -q --strict --audit --disable --explain --help --version' -- "$current")
		;;
	esac
}

complete -F _mtls_run mtls-run
