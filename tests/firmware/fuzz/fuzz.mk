# SPDX-License-Identifier: Apache-2.0
# The firmware's fuzz targets, under AddressSanitizer and UBSan. Included behind vault.mk: what make check replays is made
# of its objects. With clang:
#   make -j2 fuzz-vault fuzz-console FUZZ_SECONDS=60
ifneq ($(MBEDTLS),)

FW_FUZZ := vault console
# The console's sockets are the target's.
FW_FUZZ_OURS.vault   := $(VAULT_OURS) firmware/port/memory.c tests/firmware/fuzz/fuzz_vault.c
FW_FUZZ_OURS.console := $(VAULT_OURS) firmware/port/memory.c $(FW_SRC.app) $(addprefix firmware/net/,shared.c dn.c signer.c words.c) \
	tests/firmware/fuzz/fuzz_console.c
FW_FUZZ_SEEDS := $(B)/fuzz/seeds/.made

$(FW_FUZZ_SEEDS): tests/firmware/fuzz/seeds.sh
	$(Q)rm -rf $(@D) && $< $(@D) && touch $@

define fw_replay
$(B)/tests/replay-$(1): $(call vault_ours,$(FW_FUZZ_OURS.$(1)) tests/fuzz/replay.c) $(B)/vault/libmbedtls.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(VAULT_FLAGS) $(FW_WRAP) -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach target,$(FW_FUZZ),$(eval $(call fw_replay,$(target))))

# --- with libFuzzer: other objects, in which PBKDF2 has to be quick ------------------
FW_FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DVAULT_ROUNDS_MAX=100
fw_fuzz_ours   = $(patsubst %.c,$(B)/fuzz/ours/%.o,$(1))

$(B)/fuzz/ours/%.o: %.c tests/firmware/fuzz/fuzz.mk
	$(call say,CC,$< (fuzz))
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_OURS) $(FW_FUZZ_FLAGS) -c -o $@ $<

$(B)/fuzz/mbedtls/%.o: $(MBEDTLS)/%.c tests/firmware/fuzz/fuzz.mk
	$(call say,CC,mbedtls/$*.c (fuzz))
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_THEIRS) $(FW_FUZZ_FLAGS) -c -o $@ $<

$(B)/fuzz/libmbedtls.a: $(vault_theirs:$(B)/vault/%=$(B)/fuzz/%)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rc $@ $^

define fw_fuzz
$(B)/fuzz/$(1): $(call fw_fuzz_ours,$(FW_FUZZ_OURS.$(1))) $(B)/fuzz/libmbedtls.a
	$$(call say,FUZZ,$$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $(FW_WRAP) -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach target,$(FW_FUZZ),$(eval $(call fw_fuzz,$(target))))

.PHONY: fuzz-firmware $(FW_FUZZ:%=fuzz-%)
fuzz-firmware: $(FW_FUZZ:%=$(B)/fuzz/%) $(FW_FUZZ_SEEDS)
$(FW_FUZZ:%=fuzz-%): fuzz-%: $(B)/fuzz/% $(FW_FUZZ_SEEDS)
	$(Q)mkdir -p $(B)/fuzz/found/$*
	$(Q)$(B)/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -max_len=16000 -artifact_prefix=$(B)/fuzz/found/ -print_final_stats=0 \
		-verbosity=0 $(B)/fuzz/found/$* $(B)/fuzz/seeds/$* $(wildcard tests/fuzz/corpus/$*)

-include $(shell find $(B)/fuzz -name '*.d' 2>/dev/null)
endif
