# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What programs do to their own process: load libssl late, fork, drop their user, close
# descriptors, change their environment, end in odd ways, reuse standard error. The shim still
# presents, holds nothing, and no line of its log lands where it does not belong.

setup() {
	export MTLS_LOG=info
	server_start ask --request optional --no-tickets
	cat >"$W/plugin.c" <<-'C'
		#include "tests/probes/probe.h"
		void plugin_run(const char *port);
		void plugin_run(const char *port)
		{
			SSL_CTX *ctx = context_new();
			talk_to(ctx, port);
			SSL_CTX_free(ctx);
		}
	C
	"${CC:-cc}" "-I$TOP" -D_GNU_SOURCE -shared -fPIC -o "$W/plugin.so" "$W/plugin.c" -lssl -lcrypto
	libssl=$(ldd "$W/plugin.so" | sed -n 's/.* => \(.*\/libssl[^ ]*\) .*/\1/p')
}

process() {
	"${via[@]}" "$BUILD/tests/process" "$1" "$port" "${@:2}"
}

loader() {
	"${via[@]}" "$BUILD/tests/loader" "$1" "$2" "$port"
}

get() {
	"${via[@]}" "$BUILD/tests/get" "$port" "$@"
}

# count FILE PATTERN N
count() {
	local n
	n=$(grep -c -e "$2" "$1" || true)
	[ "$n" = "$3" ] || fail "$n of $3 lines have \"$2\": $(sort "$1" | uniq -c | sort -rn | head -n 3)"
}

# all_seen N: the next N lines of the server have our subject
all_seen() {
	until_true 5 lines_of "$seen" $((mark + $1)) || fail "the server saw too few connections"
	tail -n "+$((mark + 1))" "$seen" >all
	mark=$((mark + $1))
	count all 'subject="CN=device"' "$1"
	expect_none
}

# --- where libssl comes from -----------------------------------------------------------

test_plugin_with_its_own_libssl() {
	server_use ask
	nothing_sent plain loader plugin "$W/plugin.so"
	presented bare loader plugin "$W/plugin.so"
	presented mtls loader plugin "$W/plugin.so"
}

test_functions_found_by_handle() {
	server_use ask
	nothing_sent plain loader dlsym "$libssl"
	presented bare loader dlsym "$libssl"
}

test_second_libssl() {
	local copy=$T/libssl.so.3
	cp "$libssl" "$copy"
	server_use ask
	attempt bare loader second "$copy"
	expect_rc 0
	[ "$(sed -n '1s/ made=.*//p' out)" != "$(sed -n '2s/ made=.*//p' out)" ] || fail "asked one library twice: $(cat out)"
	! sed -n 's/^asked=//p' out | grep -vE '^(.*) made=\1$' >others || fail "asked for another: $(cat others)"
	expect_text out "asked=$copy made=$copy"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

# The loader's locks: whoever loads libraries meanwhile is not waited for while another of them is held.
test_libraries_come_and_go() {
	server_use ask
	attempt bare timeout 10 "$BUILD/tests/loader" locks "$libssl" "$port"
	expect_rc 0
	grep -qE 'made=[1-9]' out || fail "it said: $(cat out)"
}

# The program's file name is argv[0] for the loader: nobody may open it.
test_program_named_like_a_fifo() {
	mkfifo fifo
	server_use ask
	# shellcheck disable=SC2016 # that shell's arguments
	local as_fifo=(timeout 5 bash -c 'exec -a "$0" "$@"' "$T/fifo")
	presented bare "${as_fifo[@]}" "$BUILD/tests/get" "$port"
	presented bare "${as_fifo[@]}" "$BUILD/tests/loader" dlsym "$libssl" "$port"
}

test_plugin_loaded_and_unloaded() {
	server_use ask
	attempt bare loader reload "$W/plugin.so"
	expect_rc 0
	all_seen 20
}

test_first_handshakes_at_once() {
	server_use ask
	attempt bare "$BUILD/tests/parallel" 8 fd "localhost:$port"
	expect_rc 0
	all_seen 8
}

# --- children ----------------------------------------------------------------------------

test_fork_before_the_first_handshake() {
	server_use ask
	attempt bare process fork-before
	expect_rc 0
	expect_text out 'good=200 descriptors=0 zombies=0'
	all_seen 200
}

test_fork_after_the_first_handshake() {
	server_use ask
	attempt bare process fork-after
	expect_rc 0
	expect_text out 'good=200 descriptors=0 zombies=0'
	all_seen 201
}

# --- another user ---------------------------------------------------------------------------

# A private copy, that only root can read, in a folder that everybody can look into.
private_copy() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cred=$T/cred
	cp -r "$PKI/device" "$cred"
	chmod 755 "$cred"
	chmod 711 "$WORK" "$W" "$T"
	chmod 600 "$cred"/*
}

settled() {
	[ -z "$(find "$cred" -newerct '2 seconds ago')" ]
}

drops() {
	attempt bare process drop
	expect_rc 0
	all_seen 2
	! grep -q ' broken ' err || fail "blames what it cannot know: $(cat err)"
}

# Files of this moment are read again at the next request, which nobody may.
test_drops_its_user_with_fresh_files() {
	server_use ask
	private_copy
	drops
}

test_drops_its_user_with_settled_files() {
	server_use ask
	private_copy
	until_true 5 settled || fail "the files stay young"
	drops
}

test_drops_its_user_and_the_folder_is_closed() {
	server_use ask
	private_copy
	chmod 700 "$cred"
	drops
	until_true 5 settled || fail "the files stay young"
	drops
}

# The twin: a user who never could read it gets nothing, and hears why.
test_other_user_from_the_start() {
	server_use ask
	private_copy
	cp "$LIB" "$BUILD/tests/get" .
	chmod 755 libmtls-run.so get
	setpriv --reuid 65534 --regid 65534 --clear-groups test -x ./get 2>/dev/null || skip "another user cannot look into $T"
	attempt setpriv --reuid 65534 --regid 65534 --clear-groups env "MTLS_DIR=$cred" "LD_PRELOAD=$T/libmtls-run.so" ./get "$port"
	expect_rc 0
	expect_seen subject= asked=yes result=ok
	expect_text err ' broken reason=unreadable'
}

# Renewed meanwhile, and unreadable now: what it had is the last usable generation.
test_drops_its_user_and_files_are_renewed() {
	server_use ask
	local fd ready
	private_copy
	mkfifo go ready
	exec {ready}<>ready
	bare process drop-renew <go 1>&"$ready" 2>err &
	exec {fd}>go
	read -rt 10 -u "$ready" line
	cp "$cred/private_key.pem" new
	mv new "$cred/private_key.pem"
	echo go >&"$fd"
	exec {fd}>&-
	wait $! || fail "exit $?: $(cat err)"
	all_seen 2
}

# --- descriptors and environment ------------------------------------------------------------

test_closes_every_descriptor() {
	server_use ask
	attempt bare process close
	expect_rc 0
	all_seen 6
}

test_changes_its_environment() {
	server_use ask
	attempt bare process environment
	expect_rc 0
	all_seen 3
}

test_disabled() {
	server_use ask
	local MTLS_DISABLE=1
	export MTLS_DISABLE
	nothing_sent bare get
	[ ! -s err ] || fail "said: $(cat err)"
	nothing_sent mtls get
	MTLS_DISABLE=0 presented bare get
}

# overlay_etc: commands that make /etc private, so that ld.so.preload can be written
private_etc() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir mount
	cat >private <<-EOT
		mount -t tmpfs tmpfs '$T/mount' && mkdir '$T/mount/up' '$T/mount/work' &&
		mount -t overlay overlay -o 'lowerdir=/etc,upperdir=$T/mount/up,workdir=$T/mount/work' /etc || exit 77
		[ \$# = 0 ] && exit
		echo '$LIB' >/etc/ld.so.preload && exec "\$@"
	EOT
	unshare -m sh ./private || skip "no private /etc can be mounted here"
}

# Only ld.so.preload reaches a setuid program; there the shim is inert.
test_secure_execution() {
	server_use ask
	local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	private_etc
	[[ ,$(findmnt -no OPTIONS -T .), != *,nosuid,* ]] || skip "$T is mounted nosuid"
	chmod 711 "$WORK" "$W" "$T"
	cp "$BUILD/tests/get" .
	LIB=$T/libmtls-run.so
	cp "$BUILD/libmtls-run.so" "$LIB"
	cp -r "$PKI/device" cred
	chmod -R go=rX get libmtls-run.so cred
	sed -i "s|^echo '[^']*'|echo '$LIB'|" private
	presented unshare -m sh ./private env "MTLS_DIR=$T/cred" "${nobody[@]}" ./get "$port"
	chmod 4755 get
	nothing_sent unshare -m sh ./private env "MTLS_DIR=$T/cred" "${nobody[@]}" ./get "$port"
	[ ! -s err ] || fail "said: $(cat err)"
	nothing_sent env "MTLS_DIR=$T/cred" "LD_PRELOAD=$LIB" "${nobody[@]}" ./get "$port"
}

# Nobody asked every process to speak; and /etc/ld.so.preload works where the environment is emptied.
test_ld_so_preload() {
	server_use ask
	private_etc
	unset MTLS_LOG
	echo nonsense >bad
	presented unshare -m sh ./private env -i "MTLS_DIR=$cred" "$BUILD/tests/get" "$port"
	nothing_sent unshare -m sh ./private env -i "MTLS_CERT=$T/bad" "$BUILD/tests/get" "$port"
	[ ! -s err ] || fail "said: $(cat err)"
	nothing_sent unshare -m sh ./private env -i "MTLS_CERT=$T/bad" MTLS_LOG=warn "$BUILD/tests/get" "$port"
	expect_text err reason=certificate-malformed
}

# --- the end -----------------------------------------------------------------------------------

test_exit_in_a_thread() {
	server_use ask
	attempt bare process exit-thread
	expect_rc 7
	all_seen 5
}

test_exit_at_once() {
	server_use ask
	attempt bare process exit-now
	expect_rc 7
	all_seen 1
}

test_static_destructors() {
	server_use ask
	attempt plain process at-exit
	expect_rc 7
	expect_seen subject= result=ok
	attempt bare process at-exit
	expect_rc 7
	all_seen 1
}

# --- where the log goes --------------------------------------------------------------------------

test_standard_error_is_closed_and_reused() {
	server_use ask
	presented bare process closed-error # descriptor 2 is the connection: a line there would break it
	[ ! -s err ] || fail "said: $(cat err)"
	presented bare process reused-error "$T/file"
	[ ! -s file ] || fail "landed in the program's file: $(cat file)"
	[ ! -s err ] || fail "said: $(cat err)"
	presented bare get
	expect_text err ' presented reason=presented'
	MTLS_LOG_FILE=log presented bare process closed-error
	expect_text log ' presented reason=presented'
}

# output KIND: the program's standard error is of that kind, and it lives
test_standard_error_that_nobody_reads() {
	server_use ask
	local kind
	for kind in full closed bad; do
		presented "$BUILD/tests/output" $kind env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB" "$BUILD/tests/get" "$port"
	done
}

test_log_file_that_takes_nothing() {
	server_use ask
	local file
	mkfifo fifo
	mkdir folder
	for file in /dev/full "$T/none/log" "$T/fifo" "$T/folder" ''; do
		MTLS_LOG_FILE=$file presented "$BUILD/tests/output" full env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB" \
			"$BUILD/tests/get" "$port"
	done
	(
		ulimit -f 0
		MTLS_LOG_FILE=log presented "$BUILD/tests/output" full env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB" \
			"$BUILD/tests/get" "$port" | cat
	)
	[ ! -s log ] || fail "wrote: $(cat log)"
	MTLS_LOG_FILE=log presented bare get
	expect_text log ' presented reason=presented'
}

# 8 threads and two processes append: each line is whole.
test_log_lines_are_whole() {
	server_use ask
	export MTLS_LOG_FILE=log
	bare "$BUILD/tests/parallel" 100 sni "localhost:$port" >one &
	attempt bare "$BUILD/tests/parallel" 100 sni "localhost:$port"
	expect_rc 0
	wait $!
	all_seen 200
	grep -v ' generation ' log >lines
	count lines . 200
	count lines "^mtls-run\[[0-9]*\] presented reason=presented host=localhost port=$port tls=1.3 lib=openssl/[0-9.]* subject=\"CN=device\" sha256=[0-9a-f]\{64\}\$" 200
	[ "$(stat -c %a log)" = 600 ] || fail "the log has mode $(stat -c %a log)"
}
