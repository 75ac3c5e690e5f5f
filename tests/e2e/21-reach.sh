# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What mtls-run cannot reach, and that it says so before it starts the program: static programs, other
# architectures, AT_SECURE, wrappers that clear the environment.

# shellcheck source=tests/e2e/launcher.sh
. tests/e2e/launcher.sh

setup() {
	launcher_setup
	compile static -static
	compile static-pie -static-pie -fPIE
	compile dynamic
}

# --- reach ----------------------------------------------------------------------------------

test_static_programs() {
	local kind
	unwarned "$RUN" --strict -d "$GOOD" "$W/dynamic"
	for kind in static static-pie; do
		[ -x "$W/$kind" ] || skip "the compiler makes no $kind programs"
		warns statically -- "$RUN" -d "$GOOD" "$W/$kind"
		unwarned "$RUN" -q -d "$GOOD" "$W/$kind"
		refuses --strict -- "$RUN" -q --strict -d "$GOOD" "$W/$kind"
	done
	expect_text "$T/err" static-PIE
}

test_the_loader_by_hand_is_no_static_program() {
	local loader
	loader=$(readelf -lW "$W/dynamic" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
	[ -n "$loader" ] || skip "readelf is not installed"
	unwarned "$RUN" --strict -d "$GOOD" "$loader" "$W/dynamic"
}

test_scripts_count_as_their_interpreter() {
	local line
	[ -x "$W/static" ] || skip "the compiler makes no static programs"
	mkdir "$T/path"
	cp "$W/static" "$T/path/static"
	cp "$W/dynamic" "$T/path/dynamic"
	PATH=$T/path:$PATH
	printf '#!%s\n' "$T/path/static" >"$T/inner"
	chmod 755 "$T/inner"
	for line in "$T/path/static" " $T/path/static -x" '/usr/bin/env static' "$T/inner" "$T/inner x" \
		'/usr/bin/env -S static -x' '/usr/bin/env -S A=b  static' '/usr/bin/env -S -C / -u X static'; do
		printf '#!%s\nrest\n' "$line" >"$T/script"
		chmod 755 "$T/script"
		refuses "$T/path/static" -- "$RUN" --strict -d "$GOOD" "$T/script"
		sed -i '1s/static/dynamic/' "$T/inner" "$T/script"
		unwarned "$RUN" --strict -d "$GOOD" "$T/script"
		sed -i '1s/dynamic/static/' "$T/inner"
	done
	printf '#!/usr/bin/env -vS static\n' >"$T/script"
	refuses "$T/path/static" -- "$RUN" --strict -d "$GOOD" "$T/script"
	printf 'exit 7\n' >"$T/bare"
	chmod 755 "$T/bare"
	unwarned "$RUN" --strict -d "$GOOD" "$T/bare"
}

test_another_architecture() {
	cp "$W/dynamic" "$T/foreign"
	printf '\363\000' | dd of="$T/foreign" bs=1 seek=18 conv=notrunc status=none # EM_RISCV
	case $(uname -m) in riscv*) skip "is no foreign machine here" ;; esac
	refuses 'RISC-V' -- "$RUN" --strict -d "$GOOD" "$T/foreign"
}

test_wrappers_that_clear_the_environment() {
	local name
	mkdir "$T/path"
	for name in sudo doas pkexec su setpriv; do
		printf '#!/bin/sh\nexit 7\n' >"$T/path/$name"
	done
	chmod 755 "$T/path"/*
	PATH=$T/path:$PATH
	for name in sudo doas pkexec; do
		warns "use: $name mtls-run" -- "$RUN" -d "$GOOD" $name true
	done
	refuses 'use: sudo mtls-run' -- "$RUN" -q --strict -d "$GOOD" "$T/path/sudo" true
	warns 'su' -- "$RUN" -d "$GOOD" su - nobody
	unwarned "$RUN" -d "$GOOD" su nobody -c 'x -l'
	warns 'setpriv' -- "$RUN" -d "$GOOD" setpriv --nnp --reset-env true
	unwarned "$RUN" -d "$GOOD" setpriv --nnp true --reset-env
	unwarned "$RUN" -d "$GOOD" setpriv --nnp -- --reset-env
	warns 'env takes' -- "$RUN" -d "$GOOD" env -i "$W/dynamic"
	warns 'env takes' -- "$RUN" -d "$GOOD" env -u LD_PRELOAD "$W/dynamic"
	unwarned "$RUN" -d "$GOOD" env -u OTHER A=b "$W/dynamic" -i
}

# nobody CMD...: as another user, who can look into the test's folder: as_nobody_can makes a copy of all there is.
as_nobody_can() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v setpriv >/dev/null || skip "setpriv is not installed"
	chmod go+x "$WORK" "$W" "$T"
	cp -r "$RUN" "$LIB" "$W/dynamic" "$GOOD" .
	chmod -R go=rX .
	nobody test -r ./device/client_cert.pem || skip "another user cannot look into $T"
}

nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

test_setuid_and_setgid() {
	local mode bit
	as_nobody_can
	[[ ,$(findmnt -no OPTIONS -T .), != *,nosuid,* ]] || skip "$T is mounted nosuid"
	unwarned nobody ./mtls-run --strict -d device ./dynamic
	for mode in 4755:setuid 2755:setgid; do
		bit=${mode#*:}
		chmod "${mode%:*}" dynamic
		warns "($bit)" -- nobody ./mtls-run -d device ./dynamic
		refuses "($bit)" -- nobody ./mtls-run -q --strict -d device ./dynamic
		unwarned ./mtls-run --strict -d device ./dynamic
		unwarned nobody --no-new-privs ./mtls-run --strict -d device ./dynamic
	done
	chmod 2745 dynamic # not executable for the group: mandatory locking, not setgid
	chown 65534 dynamic
	unwarned nobody ./mtls-run --strict -d device ./dynamic
}

test_a_setuid_interpreter_counts_a_setuid_script_does_not() {
	as_nobody_can
	[[ ,$(findmnt -no OPTIONS -T .), != *,nosuid,* ]] || skip "$T is mounted nosuid"
	printf '#!%s\n' "$T/dynamic" >script
	chmod 4755 script
	unwarned nobody ./mtls-run --strict -d device ./script
	chmod 4755 dynamic
	warns '(setuid)' -- nobody ./mtls-run -d device ./script
}

test_file_capabilities() {
	as_nobody_can
	command -v setcap >/dev/null || skip "setcap is not installed"
	setcap cap_net_raw+ep dynamic 2>/dev/null || skip "no file capabilities here"
	warns '(file capabilities)' -- nobody ./mtls-run -d device ./dynamic
	unwarned ./mtls-run --strict -d device ./dynamic
	setcap cap_net_raw+i dynamic
	unwarned nobody ./mtls-run --strict -d device ./dynamic
}

test_unreadable() {
	as_nobody_can
	chmod 600 device/private_key.pem
	refuses private_key.pem: -- nobody ./mtls-run -d device true
	chmod 644 device/private_key.pem
	chmod 711 dynamic # cannot be looked into, can be run
	unwarned nobody ./mtls-run --strict -d device ./dynamic
	chmod 600 libmtls-run.so
	refuses libmtls-run.so: -- nobody ./mtls-run -d device ./dynamic
}
