# SPDX-License-Identifier: Apache-2.0
# mtls-run: plain GNU make, no configure. `make help` lists the targets.
#   V=1 shows commands · SAN=address,undefined builds into build/san · CI=true makes warnings errors

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
V       ?= 0

B := build$(if $(SAN),/san)
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' '$(1)' '$(2)')

CC       ?= cc
CLANG    ?= clang
OPT      ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
WARN     += $(if $(filter true,$(CI)),-Werror)
CFLAGS   += $(OPT) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined)
CPPFLAGS += -I. -I$(B)/gen -D_GNU_SOURCE -DMTLS_VERSION='"$(VERSION)"'
BASE     := -std=c11 $(WARN) -MMD -MP

CORE   := $(wildcard core/*.c)
HOST   := host/agent.c host/environment.c host/reading.c
PARSER := host/identity.c host/key.c host/block.c
TOKEN  := $(wildcard host/token*.c)
# What mtls-cred and mtls-agent share: they link libcrypto, which neither the shim nor mtls-run does.
LINKED := $(PARSER) $(TOKEN) host/crypto_linked.c host/store.c host/generations.c host/wipe.c
SHIM   := $(wildcard shim/*.c)
RUN    := $(wildcard launcher/run/*.c)
CRED   := $(wildcard launcher/cred/*.c)
AGENT  := $(wildcard agent/*.c)
SERVER := $(wildcard tests/helpers/server*.c)
UNIT   := $(wildcard tests/unit/*.c)
PROBES := $(patsubst tests/probes/%.c,$(B)/tests/%,$(wildcard tests/probes/*.c))
FUZZ   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

# One object tree for each way of compiling.
pic  = $(patsubst %.c,$(B)/pic/%.o,$(1))
exe  = $(patsubst %.c,$(B)/exe/%.o,$(1))
unit = $(patsubst %.c,$(B)/unit/%.o,$(1))

PROGRAMS := $(B)/libmtls-run.so $(B)/libmtls-audit.so $(B)/mtls-run $(B)/mtls-cred $(B)/mtls-agent
MANUAL   := $(patsubst packaging/man/%.in,$(B)/man/%,$(wildcard packaging/man/*.in))
HELPERS  := $(B)/tests/mtls-server $(PROBES)

.PHONY: all help deps demo check check-all oracles distributions bench install uninstall clean fuzz format tidy tests
all: $(PROGRAMS) $(MANUAL)

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)
#: make            builds libmtls-run.so, mtls-run, mtls-cred, mtls-agent and the manual into build/
#: make deps       installs what building and testing need (apt), or prints the line to run
#: make demo       the main job on real input, with an embedded server
#: make check      unit, fuzz-corpus and end-to-end tests; the last line counts them
#: make check-all  and the long ones: CPython's test_ssl, valgrind, sanitized shim, fuzzing, real servers, examples, other Debian releases
#: make oracles  other projects' own TLS tests without the shim, inert, armed; writes tests/oracles/table.md (long)
#: make distributions  real clients in Debian 11, 12, 13 and sid (part of check-all; needs root, debootstrap)
#: make bench      cost of a handshake and of start-up, as ratios
#: make install    PREFIX=/usr/local, DESTDIR=
#: make clean      removes build/

# --- the shim ----------------------------------------------------------------
# It is loaded into other people's processes: only its hooks are exported, nothing but libc (and
# libdl for old glibc) is needed, and no symbol is newer than GLIBC_2.17 (no stack protector, no fortify).
PIC_FLAGS := -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-stack-protector -U_FORTIFY_SOURCE -fno-plt
$(B)/pic/%.o: %.c Makefile
	$(call say,CC,$< (shim))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(BASE) $(CFLAGS) $(PIC_FLAGS) -c -o $@ $<

$(B)/gen/hooks.map: shim/hooks.def Makefile
	@mkdir -p $(@D)
	$(Q){ echo '{ global:'; sed -n 's/^MTLS_HOOK[A-Z_]*([^,]*, *\([a-z0-9A-Z_]*\),.*/	\1;/p' shim/hooks.def; echo 'local: *; };'; } >$@

$(B)/libmtls-run.so: $(call pic,$(CORE) $(HOST) $(PARSER) $(SHIM)) $(B)/gen/hooks.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,--version-script=$(B)/gen/hooks.map -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete \
		-Wl,--no-undefined -Wl,-soname,libmtls-run.so -o $@ $(filter %.o,$^) $(if $(SAN),-ldl,-Wl,--no-as-needed -l:libdl.so.2)

# For mtls-run --audit. The loader gives it a namespace of its own, where a libc would be a second one: it has none, and
# no sanitizer either.
AUDIT_FLAGS := -fPIC -fvisibility=hidden -ffreestanding -fno-builtin -fno-stack-protector -U_FORTIFY_SOURCE -fno-sanitize=all
$(B)/libmtls-audit.so: shim/audit/audit.c shim/hooks.def Makefile
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=c11 $(WARN) $(OPT) $(AUDIT_FLAGS) -nostdlib -shared $(LDFLAGS) -Wl,-z,relro -Wl,-z,now \
		-Wl,--no-undefined -Wl,-soname,libmtls-audit.so -o $@ $<

# --- the commands ------------------------------------------------------------
HARDEN := $(if $(SAN),,-fstack-protector-strong -D_FORTIFY_SOURCE=2)
$(B)/exe/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(BASE) $(CFLAGS) $(HARDEN) -c -o $@ $<

$(B)/mtls-run: $(call exe,$(CORE) $(HOST) $(RUN))
	$(call say,LD,$@ (static))
	$(Q)$(CC) $(if $(SAN),,-static) $(CFLAGS) $(LDFLAGS) -o $@ $^

# Static where there is an archive: mtls-run starts it each time, and a small root has libcrypto but not json-c.
JSON_C ?= $(or $(filter /%,$(shell $(CC) -print-file-name=libjson-c.a)),-ljson-c)
$(B)/mtls-cred: $(call exe,$(CORE) $(HOST) $(LINKED) $(CRED))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(JSON_C) -lssl -lcrypto

$(B)/mtls-agent: $(call exe,$(CORE) $(HOST) $(LINKED) $(AGENT))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(if $(SAN),,-Wl,-z,relro -Wl,-z,now) -o $@ $^ -lseccomp -lcrypto

# --- the manual --------------------------------------------------------------
# What the pages say of settings and reason words comes from core/, of agents from host/: see packaging/man/expand.c. It runs on this machine.
HOSTCC ?= $(CC)
$(B)/expand: packaging/man/expand.c $(CORE) host/agent.c $(wildcard core/*.h host/*.h) core/reason.def Makefile
	$(call say,CC,$< (for the manual))
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -I. -D_GNU_SOURCE -DMTLS_VERSION='"$(VERSION)"' -std=c11 $(WARN) -O1 -o $@ $(filter %.c,$^)
$(B)/man/%: packaging/man/%.in $(B)/expand
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)$(B)/expand <$< >$@.new && mv $@.new $@

# --- tests -------------------------------------------------------------------
tests: $(HELPERS)

$(B)/tests/mtls-server: $(call exe,$(SERVER))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -pthread

# For tests/faults: what lets calls of the shim fail (x86-64 only), and what runs a client once for each of them.
FAULTS := $(if $(filter x86_64,$(shell uname -m)),$(B)/tests/faults.so $(B)/tests/sweep)
$(B)/tests/faults.so: tests/helpers/faults.c tests/helpers/faults_whose.c tests/helpers/faults.h shim/hooks.def Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=c11 $(WARN) -O1 -g -fPIC -shared -static-libgcc -o $@ $(filter %.c,$^)
$(B)/tests/sweep: $(wildcard tests/helpers/sweep*.c) tests/helpers/sweep.h tests/helpers/faults.h Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=c11 $(WARN) -O1 -g -o $@ $(filter %.c,$^)

# Probe programs name the libraries that they need in a line "link: …".
$(B)/tests/%: tests/probes/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE $(BASE) -O1 -g -o $@ $< $$(sed -n 's/.*link: \([^*]*\).*/\1/p' $<)

$(B)/tests/token: $(call exe,tests/probes/token.c $(CORE) $(HOST) $(LINKED))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcrypto
# This one is the agent's own code, without the agent.
INGEST := agent/ingest.c agent/inbox.c agent/say.c
$(B)/tests/ingest: $(call exe,$(CORE) $(HOST) $(LINKED) $(INGEST) tests/probes/ingest.c)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcrypto

# The same probes against OpenSSL 1.1.1, where OPENSSL11 names what packaging/debian.sh has fetched.
OPENSSL11 ?=
PROBES11 := $(if $(OPENSSL11),$(patsubst %,$(B)/tests/1.1.1/%,get hooks own parallel process resume reuse rotation shared))
$(B)/tests/1.1.1/%: tests/probes/%.c tests/probes/probe.h tests/probes/rotation.h Makefile
	$(call say,CC,$< (1.1.1))
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -I$(OPENSSL11)/include -D_GNU_SOURCE -std=c11 $(WARN) -O1 -g -o $@ $< -L$(OPENSSL11)/lib \
		-Wl,-rpath,$(OPENSSL11)/lib $$(sed -n 's/.*link: \([^*]*\).*/\1/p' $<)

# libssl as upstream links it, which Debian does not: -Bsymbolic, so that no function of its own goes through our hooks.
# Of libcrypto.a only the few objects come in that the shared libcrypto does not export.
SYMBOLIC := $(B)/tests/symbolic/libssl.so.3
$(SYMBOLIC): Makefile
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)nm -D --defined-only "$$(realpath "$$($(CC) -print-file-name=libssl.so)")" >$(@D)/symbols
	$(Q){ echo 'OPENSSL_3.0.0 { global:'; sed -n 's/.* \([^ ]*\)@@OPENSSL_3.0.0$$/	\1;/p' $(@D)/symbols; echo 'local: *; };'; } >$(@D)/map
	$(Q)$(CC) -shared -Wl,-Bsymbolic -Wl,-soname,libssl.so.3 -Wl,--version-script=$(@D)/map -o $@ \
		-Wl,--no-undefined -Wl,--whole-archive "$$($(CC) -print-file-name=libssl.a)" -Wl,--no-whole-archive \
		-lcrypto "$$($(CC) -print-file-name=libcrypto.a)"

$(B)/gen/suites.def: $(UNIT)
	@mkdir -p $(@D)
	$(Q)sed -n 's/^Suite \*\([a-z0-9_]*\)_suite(void)$$/SUITE(\1)/p' $(UNIT) | sort >$@
$(B)/unit/tests/unit/main.o: $(B)/gen/suites.def

$(B)/bench/handshake $(B)/bench/agent: tests/bench/hands.c tests/bench/hands.h
$(B)/bench/%: tests/bench/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=c11 $(WARN) -O2 -g -o $@ $(filter %.c,$^) -lssl -lcrypto -pthread

UNIT_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
$(B)/unit/%.o: %.c Makefile
	$(call say,CC,$< (unit))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(BASE) $(UNIT_FLAGS) -c -o $@ $<

UNIT_SHIM := shim/peers.c shim/names.c shim/generation.c shim/outcome.c shim/log.c shim/saved.c
UNIT_SHIM += shim/gnutls_identity.c shim/gnutls_key.c shim/gnutls_decrypt.c shim/gnutls_block.c
UNIT_RUN  := $(addprefix launcher/run/,child.c closure.c elf.c fingerprint.c handoff.c known.c listing.c program.c say.c)
UNIT_AGENT := agent/filter.c agent/places.c agent/say.c
$(B)/tests/unit: $(call unit,$(CORE) $(HOST) $(PARSER) host/crypto_linked.c host/token_uri.c $(UNIT_SHIM) $(UNIT_RUN) $(UNIT_AGENT) $(UNIT))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_FLAGS) -o $@ $^ -Wl,-Bstatic -lcheck -lsubunit -Wl,-Bdynamic -lrt -lm -lcrypto -lgnutls -lseccomp -ldl -pthread

# Every target replays its corpus in make check; with clang, `make fuzz` searches on.
$(B)/tests/replay-%: $(B)/unit/tests/fuzz/fuzz_%.o $(B)/unit/tests/fuzz/replay.o $(call unit,$(CORE) launcher/run/elf.c)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_FLAGS) -o $@ $^

FUZZ_SECONDS ?= 60
$(B)/fuzz/%: tests/fuzz/fuzz_%.c $(CORE) launcher/run/elf.c
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -o $@ $^

fuzz: $(FUZZ:%=$(B)/fuzz/%)
	$(Q)for t in $(FUZZ); do mkdir -p $(B)/fuzz/found/$$t; \
		echo "fuzzing $$t for $(FUZZ_SECONDS) s"; \
		$(B)/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(B)/fuzz/found/ -print_final_stats=0 -verbosity=0 $(B)/fuzz/found/$$t tests/fuzz/corpus/$$t || exit 1; done

# Both user commands install what they lack first; the second make then sees the new headers.
deps:
	$(Q)packaging/deps.sh build demo check check-all oracles bench

demo:
	$(Q)packaging/deps.sh build demo
	$(Q)$(MAKE) --no-print-directory all $(B)/tests/mtls-server
	$(Q)BUILD=$(B) tests/demo/demo.sh

CHECK_BINARIES = $(PROGRAMS) $(MANUAL) $(HELPERS) $(FAULTS) $(PROBES11) $(SYMBOLIC) $(B)/tests/unit $(FUZZ:%=$(B)/tests/replay-%)
check-binaries: $(CHECK_BINARIES)

check:
	$(Q)packaging/deps.sh build demo check firmware
	$(Q)firmware/fetch.sh >/dev/null || [ $$? = 77 ]
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) check-binaries OPENSSL11="$$(packaging/debian.sh openssl-1.1.1)"
	$(Q)BUILD=$(B) CC='$(CC)' FUZZ='$(FUZZ)' tests/check.sh

check-all:
	$(Q)packaging/deps.sh build demo check firmware check-all
	$(Q)firmware/fetch.sh >/dev/null || [ $$? = 77 ]
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) check-binaries OPENSSL11="$$(packaging/debian.sh openssl-1.1.1)"
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) SAN=address,undefined firmware-build
	$(Q)BUILD=$(B) CC='$(CC)' FUZZ='$(FUZZ)' tests/check.sh all

oracles:
	$(Q)packaging/deps.sh build oracles
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	$(Q)BUILD=$(B) tests/oracles/run

distributions:
	$(Q)packaging/deps.sh build demo check check-all
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all $(HELPERS)
	$(Q)BUILD=$(B) tests/all/run tests/all/distributions.sh

bench:
	$(Q)packaging/deps.sh build demo bench firmware
	$(Q)firmware/fetch.sh >/dev/null
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all $(HELPERS)
	$(Q)BUILD=$(B) tests/bench/bench.sh
	$(Q)BUILD=$(B) tests/bench/firmware.sh

include firmware/firmware.mk

# --- housekeeping ------------------------------------------------------------
COMMANDS := mtls-run mtls-cred mtls-agent
LIBDIR := $(PREFIX)/lib/mtls-run
UNITDIR := $(PREFIX)/lib/systemd/system
SYSUSERSDIR := $(PREFIX)/lib/sysusers.d
MANDIR := $(PREFIX)/share/man
BASHDIR := $(PREFIX)/share/bash-completion/completions
ZSHDIR := $(PREFIX)/share/zsh/site-functions
install: all
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(BASHDIR)' '$(DESTDIR)$(ZSHDIR)' \
		$(foreach section,1 5 8,'$(DESTDIR)$(MANDIR)/man$(section)') '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(SYSUSERSDIR)'
	install -m 755 $(COMMANDS:%=$(B)/%) '$(DESTDIR)$(PREFIX)/bin/'
	install -m 644 $(B)/libmtls-run.so $(B)/libmtls-audit.so '$(DESTDIR)$(LIBDIR)/'
	$(foreach section,1 5 8,install -m 644 $(filter %.$(section),$(MANUAL)) '$(DESTDIR)$(MANDIR)/man$(section)/' &&) :
	install -m 644 packaging/systemd/mtls-agent.socket '$(DESTDIR)$(UNITDIR)/'
	sed 's|@PREFIX@|$(PREFIX)|' packaging/systemd/mtls-agent.service.in >'$(DESTDIR)$(UNITDIR)/mtls-agent.service'
	chmod 644 '$(DESTDIR)$(UNITDIR)/mtls-agent.service'
	install -m 644 packaging/systemd/mtls-agent.sysusers '$(DESTDIR)$(SYSUSERSDIR)/mtls-agent.conf'
	for name in $(COMMANDS); do \
		install -m 644 packaging/completions/$$name.bash '$(DESTDIR)$(BASHDIR)'/$$name && \
		install -m 644 packaging/completions/_$$name '$(DESTDIR)$(ZSHDIR)/' || exit 1; done

uninstall:
	rm -f $(foreach name,$(COMMANDS),'$(DESTDIR)$(PREFIX)/bin/$(name)' '$(DESTDIR)$(BASHDIR)/$(name)' '$(DESTDIR)$(ZSHDIR)/_$(name)') \
		$(foreach page,$(notdir $(MANUAL)),'$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(page)))/$(page)') \
		'$(DESTDIR)$(LIBDIR)/libmtls-run.so' '$(DESTDIR)$(LIBDIR)/libmtls-audit.so' \
		'$(DESTDIR)$(UNITDIR)/mtls-agent.socket' '$(DESTDIR)$(UNITDIR)/mtls-agent.service' '$(DESTDIR)$(SYSUSERSDIR)/mtls-agent.conf'
	-rmdir '$(DESTDIR)$(LIBDIR)'

SOURCES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
format:
	clang-format -i $(SOURCES)

tidy:
	clang-tidy --quiet $(filter-out firmware/% examples/mqtt/%,$(filter %.c,$(SOURCES))) -- -std=c11 $(CPPFLAGS)

clean:
	rm -rf build

-include $(shell find $(B)/pic $(B)/exe $(B)/unit $(B)/tests -name '*.d' 2>/dev/null)
