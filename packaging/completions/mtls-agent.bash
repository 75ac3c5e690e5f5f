# SPDX-License-Identifier: Apache-2.0
# bash completion for mtls-agent(8); to be loaded by bash-completion, or sourced.

_mtls_agent() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [ "$current" = = ]; then
		current=
	elif [ "$previous" = = ]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $previous in
	-d | --dir | --ingest)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		;;
	--socket)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	--allow) mapfile -t COMPREPLY < <(compgen -u -- "$current") ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W '-d --dir --socket --allow --ingest --no-digest -v --verbose
			--help --version' -- "$current")
		;;
	esac
}

complete -F _mtls_agent mtls-agent
