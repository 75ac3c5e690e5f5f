#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# session.sh BLOCK...: runs the commands of a document, block after block (files of blocks.awk, named by their line), in this
# one shell. Exit 1, with one line on descriptor 3, where the document says what is not so.
#
#   $ COMMAND        What follows up to the next command is its output, of both streams; … in it stands for anything. Its
#                    exit status is 0, unless the next command is `echo $?`, which then shows it. A \ at the end goes on.
#   anything else    A block without a $ is a script: every command in it succeeds, what it prints does not matter.
#
# The caller gives HOME, PATH, the folder, and $PORT, free on the loopback. A reader types slowly: before a block or command
# that ends in & this waits until the port is free, and after it until it is listened at. What a document starts it ends.

_fail() {
	_told=1
	printf 'line %s: %s\n' "${_block##*/}" "$*" >&3
	exit 1
}

# also where set -e has ended the shell
_end() {
	local _status=$?
	[ $_status = 0 ] || [ -n "$_told" ] || (_fail "exit $_status: $_bad: $(tail -n 3 "$_out")")
	rm -f "$_out"
}

_listening() {
	grep -qsE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$PORT") 0+:0+ 0A " /proc/net/tcp /proc/net/tcp6
}

_free() { ! _listening; }

# _wait CONDITION COMMAND
_wait() {
	local _end=$((SECONDS + 10))
	[[ $2 =~ \&[[:space:]]*$ ]] || return 0
	until "$1"; do
		[ $SECONDS -lt $_end ] || _fail "port $PORT: not $1 after 10 s: $2: $(tail -n 3 "$_out")"
		sleep 0.02
	done
}

_matches() {
	local _pattern
	_pattern=$(sed 's/[][*?\\()|+@!]/\\&/g; s/…/*/g' <<<"$2")
	# shellcheck disable=SC2053 # it is a pattern
	[[ $1 == $_pattern ]]
}

# _command COMMAND EXPECTED NEXT
_command() {
	local _said
	_wait _free "$1"
	(exit "$_status")
	eval "$1" >"$_out" 2>&1
	_status=$?
	_wait _listening "$1"
	_said=$(<"$_out")
	printf '$ %s\n%s\n' "$1" "$_said"
	[ $_status = 0 ] || [ "$3" = "echo \$?" ] || _fail "exit $_status: $1: $_said"
	_matches "$_said" "$2" || _fail "$1: expected \"$2\", it says \"$_said\""
	[ "$1" != "echo \$?" ] || _status=0
}

_session() {
	local _line _commands=() _outputs=() _more='' _i
	while IFS= read -r _line; do
		if [ -n "$_more" ]; then
			_commands[-1]+=$'\n'$_line
		elif [[ $_line == '$ '* ]]; then
			_commands+=("${_line#\$ }")
			_outputs+=('')
		else
			_outputs[-1]+=${_outputs[-1]:+$'\n'}$_line
			continue
		fi
		_more=''
		[[ $_line != *\\ ]] || _more=1
	done <"$_block"
	for _i in "${!_commands[@]}"; do
		_command "${_commands[_i]}" "${_outputs[_i]}" "${_commands[_i + 1]-}"
	done
}

_script() {
	local _text
	_text=$(<"$_block")
	printf '%s\n' "$_text"
	_wait _free "$_text"
	set -eE
	trap '_bad=${_bad:-$BASH_COMMAND}' ERR
	eval "$_text" >"$_out" 2>&1
	set +eE
	trap - ERR
	_bad=''
	cat "$_out"
	_wait _listening "$_text"
	_status=0
}

_told='' _bad='' _status=0
_out=$(mktemp)
trap _end EXIT
for _block; do
	if [[ $(head -n 1 "$_block") == '$ '* ]]; then
		_session
	else
		_script
	fi
done
_wait _free '&'
[ -z "$(jobs -pr)" ] || _fail "left running: $(jobs -r)"
