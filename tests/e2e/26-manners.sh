# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# --help, completions and manual pages: they fit, load and render, and none names a verb, option, setting or
# word that another one lacks.

parallel=2 deadline=60
completions=$TOP/packaging/completions

# listed PROGRAM: what its --help names, a line "VERB WORD" each: verbs under "-", options before the verb under "-" too
setup() {
	AGENT=$BUILD/mtls-agent
	cat >"$W/listed.py" <<-'PY'
		import re, subprocess, sys
		help = subprocess.run([sys.argv[1], '--help'], capture_output=True, text=True, check=True).stdout
		verb, found = None, set()
		for line in help.split('\n'):
		    if sys.argv[1].endswith('cred') and (m := re.match(r'  ([a-z]+) ', line)):
		        if m[1] == 'mtls': continue
		        verb = m[1]
		        found |= {('-', verb), (verb, '-d'), (verb, '--dir'), (verb, '--help')}
		    if not line.strip(): verb = None
		    if not line.startswith('  ') or line.startswith('  mtls-'): continue # options are indented, examples, too
		    for option in re.findall(r'(?<![\w-])(?:--[a-z][a-z-]*|-[a-z](?![\w-]))', line):
		        found.add((verb or '-', option))
		print(*sorted(f'{v} {w}' for v, w in found), sep='\n')
	PY
	# What completing LINE in zsh adds, a line each in the file $ADDED.
	cat >"$W/zsh.py" <<-'PY'
		import os, pty, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp('zsh', ['zsh', '-d', '-i'])
		said, sent = b'', False
		while True:
		    try: data = os.read(fd, 4096)
		    except OSError: break
		    if not data: break
		    said += data
		    if not sent and b'READY>' in said:
		        os.write(fd, sys.argv[1].encode() + b'\t\x15exit\r')
		        sent = True
		os.waitpid(pid, 0)
	PY
}

listed() { python3 "$W/listed.py" "$1"; }

test_help_fits() {
	local program
	for program in "$RUN" "$CRED" "$AGENT"; do
		"$program" --help >out
		[ "$(wc -l <out)" -le 24 ] || fail "$program: $(wc -l <out) lines"
		! grep -qE '.{81}|[^ -~]' out || fail "$(grep -E '.{81}|[^ -~]' out)"
		expect_text out "  $(basename "$program") "
		listed "$program" >words
		[ "$(wc -l <words)" -ge 10 ] || fail "the help was not understood: $(<words)"
	done
}

# agree FILE PROGRAM: the lines "VERB WORD" of FILE are those of the help
agree() {
	sort -u -o "$1" "$1"
	listed "$2" >help
	[ -z "$(comm -13 "$1" help)" ] || fail "the help has, $1 has not: $(comm -13 "$1" help)"
	[ -z "$(comm -23 "$1" help)" ] || fail "$1 has, the help has not: $(comm -23 "$1" help)"
}

# in_bash WORD...: the completions of the last one
in_bash() {
	bash --norc -c '. "$0"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); '"_${1//-/_}"'; printf "%s\n" "${COMPREPLY[@]}"' \
		"$completions/$1.bash" "$@" 2>bash.err
	! grep -v 'compopt: not currently executing' bash.err || fail "$(<bash.err)"
}

# in_zsh LINE: the same
in_zsh() {
	: >added
	TERM=dumb ZDOTDIR=$W/zsh ADDED=$T/added python3 "$W/zsh.py" "$1"
	sort -u added
}

given_zsh() {
	command -v zsh >/dev/null || skip "zsh is not installed"
	mkdir -p "$W/zsh"
	cat >"$W/zsh/.zshrc" <<-ZSH
		fpath=($completions \$fpath)
		autoload -Uz compinit && compinit -u -D
		unsetopt autolist
		zstyle ':completion:*' tag-order '!hosts' -
		compadd() {
			local -a hits
			[[ " \$* " == *\ -[OAD]\ * ]] || { builtin compadd -O hits "\$@"; (( \$#hits )) && print -rl -- \$hits >>\$ADDED; }
			builtin compadd "\$@"
		}
		PS1='READY>'
	ZSH
}

# offered HOW PROGRAM: what its completion knows, as listed has it
offered() {
	local verb word
	if [ "$1" = bash ]; then in_bash "$2" -; in_bash "$2" ''; else in_zsh "$2 -"; [ "$2" != mtls-cred ] || in_zsh "$2 "; fi |
		sed -n 's/=$//; s/^\(-[-a-z][-a-z]*\)$/- \1/p'
	[ "$2" = mtls-cred ] || return 0
	for verb in $(if [ "$1" = bash ]; then in_bash "$2" ''; else in_zsh "$2 "; fi | grep '^[a-z]'); do
		echo "- $verb"
		if [ "$1" = bash ]; then in_bash "$2" "$verb" -; else in_zsh "$2 $verb -"; fi | sed "s/=$//; s/^/$verb /"
	done
}

test_completion_in_bash() {
	local i
	offered bash mtls-run >bash-run; agree bash-run "$RUN"
	offered bash mtls-cred >bash-cred; agree bash-cred "$CRED"
	offered bash mtls-agent >bash-agent; agree bash-agent "$AGENT"
	mkdir folder; : >file
	for i in 'mtls-run|--issuer|:any match' 'mtls-run|-v|--only-if|v:verified' 'mtls-run|--dir|f:folder' 'mtls-run|--dir|=|f:folder' \
		'mtls-run|--key|f:file folder' 'mtls-run|-d|folder|--iss:--issuer' 'mtls-run|--host|x|mktem:mktemp' 'mtls-run|--agent|mktem:mktemp' \
		'mtls-run|--agent|=|f:file folder' 'mtls-run|--agent|=|x|mktem:mktemp' 'mtls-run|--agent|--iss:--issuer' 'mtls-run|--|mktem:mktemp' \
		'mtls-cred|new|--type|:ec ed25519 rsa' 'mtls-cred|probe|--starttls|:imap postgres smtp' 'mtls-cred|-d|folder|sh:show' 'mtls-cred|show|-d|f:folder' 'mtls-cred|new|--type|=|r:rsa' \
		'mtls-cred|import|fi:file' 'mtls-cred|check|--dir|=:folder' 'mtls-cred|-d|show|pat:path' 'mtls-agent|--ingest|=|f:folder' 'mtls-agent|--socket|f:file folder' 'mtls-agent|--allow|roo:root' 'mtls-run|curl|--dir|f:'; do
		IFS='|' read -ra words <<<"${i%:*}|"
		[ "$(in_bash "${words[@]}" | sort -u | xargs)" = "${i##*:}" ] || fail "$i: $(in_bash "${words[@]}" | head -c 200)"
	done
}

test_completion_in_zsh() {
	local i
	given_zsh
	require_terminals # zsh completes in one
	offered zsh mtls-run >zsh-run; agree zsh-run "$RUN"
	offered zsh mtls-cred >zsh-cred; agree zsh-cred "$CRED"
	offered zsh mtls-agent >zsh-agent; agree zsh-agent "$AGENT"
	mkdir folder; : >file
	for i in 'mtls-run --issuer :any match' 'mtls-run --only-if=v:verified' 'mtls-run --dir f:folder' 'mtls-run --agent mktem:mktemp' 'mtls-run --agent=f:file folder' 'mtls-run -- mktem:mktemp' \
		'mtls-run -v mktem:mktemp' 'mtls-cred new --type :ec ed25519 rsa' 'mtls-cred probe --starttls :imap postgres smtp' 'mtls-cred show -d f:folder' 'mtls-cred -d folder pat:path' 'mtls-agent --ingest f:folder'; do
		[ "$(in_zsh "${i%:*}" | tr -d / | sort -u | xargs)" = "${i##*:}" ] || fail "$i: $(in_zsh "${i%:*}" | head -c 200)"
	done
}

test_manual_renders() {
	local page
	command -v groff >/dev/null || skip "groff is not installed"
	for page in "$BUILD"/man/*.[158]; do
		groff -ww -z -mdoc -Tutf8 "$page" >said 2>&1
		[ ! -s said ] || fail "$(<said)"
		! grep -n '@' "$page" || fail "something is not filled in"
		if command -v mandoc >/dev/null; then
			mandoc -T lint -W warning "$page" >said 2>&1 || true
			! grep -E ' (WARNING|ERROR|UNSUPP)' said || fail "$(<said)"
		fi
		if command -v man >/dev/null; then
			MANWIDTH=80 man --warnings -E UTF-8 -l "$page" >rendered 2>said
			! grep -v '^mandoc: outdated' said || fail "$(<said)"
			! grep -n '.\{81\}' rendered || fail "wider than 80"
		fi
	done
}

# described PAGE: the options that have an item, as listed has them
described() {
	python3 - "$1" <<-'PY'
		import re, sys
		page = open(sys.argv[1]).read().split('.Sh DESCRIPTION')[1].split('\n.Sh ')[0]
		verb = '-'
		for line in page.split('\n'):
		    if m := re.fullmatch(r'\.It Cm ([a-z]+)', line):
		        verb = m[1]
		        for word in '-d', '--dir', '--help': print(verb, word)
		        print('-', verb)
		    elif line.startswith('.It '):
		        for option in re.findall(r' Fl (\S+)', line): print(verb, '-' + option)
	PY
}

test_manual_has_all_options() {
	described "$BUILD/man/mtls-run.1" >manual-run; agree manual-run "$RUN"
	described "$BUILD/man/mtls-cred.1" >manual-cred; agree manual-cred "$CRED"
	described "$BUILD/man/mtls-agent.8" >manual-agent; agree manual-agent "$AGENT"
	# and of each verb the synopsis
	sed '/^.Sh DESCRIPTION/,$d' "$BUILD/man/mtls-cred.1" | grep -oE 'Fl -?[a-z-]+|\| -[a-z]+' | sed 's/^Fl /-/; s/^| /-/' | sort -u >synopsis
	sed -n 's/^[a-z]* --/--/p' manual-cred | grep -vE -e '--(dir|help|version)$' | sort -u >wanted
	diff wanted <(grep -v '^-d$' synopsis)
}

# The words, sentences and remedies of core/, in the manual and in docs/SETTINGS.md; and the variables.
test_manual_has_all_words() {
	MANWIDTH=9999 groff -mdoc -Tascii -P-cbou -rLL=9999n "$BUILD/man/mtls.5" >rendered
	python3 - "$TOP" "$BUILD" <<-'PY'
		import re, sys
		top, build = sys.argv[1:]
		read = lambda path: open(path).read()
		string = r'"((?:[^"\\]|\\.)*)"'
		table = re.findall(rf'^MTLS_REASON\(\w+, {string}, \w+, {string},\s*{string}\)$', read(top + '/core/reason.def'), re.M)
		assert len(table) == read(top + '/core/reason.def').count('\nMTLS_REASON('), table
		markdown, page, rendered = read(top + '/docs/SETTINGS.md'), read(build + '/man/mtls.5'), read('rendered')
		words = [w for w, _, _ in table]
		items = re.findall(r'^\.It Sy (\S+)$', page.split('.Sh REASON WORDS')[1], re.M)
		assert sorted(i.replace('\\', '') for i in items) == sorted(words), items
		rows = re.findall(r'^\| `(\S+)` \|.*', markdown.split('## Reason words')[1], re.M)
		assert rows == words, set(rows) ^ set(words)
		for word, sentence, remedy in table:
		    assert f'\n| `{word}` | {sentence} | {remedy or chr(0x2013)} |\n' in markdown + '\n', word
		    assert word == 'usable' or f'{sentence}.' + (f'  Remedy: {remedy}.' if remedy else '') in rendered, word
		used = set(re.findall(r'"(MTLS_[A-Z_]+)"', read(top + '/host/environment.c') + read(top + '/core/settings.c')))
		assert len(used) > 10
		shown = {v for line in re.findall(r'^\.It Ev (.*)$', page, re.M) for v in re.findall(r'MTLS_\w+', line)}
		assert shown == used, shown ^ used
		shown = {v for line in re.findall(r'^\| (`MTLS_.*?) \|', markdown, re.M) for v in re.findall(r'MTLS_\w+', line)}
		assert shown == used, shown ^ used
	PY
}

# What fills the pages in does not fill in half.
test_stale_manual_is_not_built() {
	local line
	for line in '@SETTINGS:hosts' '@SETTING hostz:no setting hostz' '@REASONS brokn:brokn' '@NONSENSE:@NONSENSE'; do
		attempt "$BUILD/expand" <<<"x"$'\n'"${line%%:*}"
		expect_rc 1
		expect_text err "line 2: "
		expect_text err "${line##*:}"
	done
}

# What make installs is whole, and what it uninstalls too.
test_install() {
	local build=(env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$TOP" PREFIX=/usr "DESTDIR=$T/root")
	[ "$BUILD" = "$TOP/build" ] || return 0 # of a build folder elsewhere make knows nothing
	"${build[@]}" install
	(cd root/usr && find . -type f | sort) >files
	cat >wanted <<-'TEXT'
		./bin/mtls-agent
		./bin/mtls-cred
		./bin/mtls-run
		./lib/mtls-run/libmtls-audit.so
		./lib/mtls-run/libmtls-run.so
		./lib/systemd/system/mtls-agent.service
		./lib/systemd/system/mtls-agent.socket
		./lib/sysusers.d/mtls-agent.conf
		./share/bash-completion/completions/mtls-agent
		./share/bash-completion/completions/mtls-cred
		./share/bash-completion/completions/mtls-run
		./share/man/man1/mtls-cred.1
		./share/man/man1/mtls-run.1
		./share/man/man5/mtls.5
		./share/man/man8/mtls-agent.8
		./share/zsh/site-functions/_mtls-agent
		./share/zsh/site-functions/_mtls-cred
		./share/zsh/site-functions/_mtls-run
	TEXT
	diff wanted files
	[ -z "$(find root -type f -perm /022)" ] || fail "others may write: $(find root -type f -perm /022)"
	root/usr/bin/mtls-run -d "$PKI/device" true # finds its library and mtls-cred
	"${build[@]}" uninstall
	[ -z "$(find root -type f)" ] || fail "left behind: $(find root -type f)"
}
