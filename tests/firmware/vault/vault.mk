# SPDX-License-Identifier: Apache-2.0
# The vault's tests: build/tests/vault, under AddressSanitizer and UBSan, with the device's own mbedTLS and its own
# configuration. Included behind firmware/firmware.mk, of which it has MBEDTLS, FW_OURS and FW_THEIRS.
#   make -j2 build/tests/vault && build/tests/vault        VAULT_ALL=1: all cuts; VAULT_SEED=N: as in another run
#   make -j2 fuzz-vault FUZZ_SECONDS=60
ifneq ($(MBEDTLS),)

VAULT_TESTS := $(wildcard tests/firmware/vault/*.c)
# What is under test, what stands for the board, and the hosted parser as an oracle.
VAULT_OURS  := $(CORE) $(wildcard firmware/vault/*.c) firmware/port/nor.c firmware/port/host/flash_ram.c \
	firmware/port/bind.c firmware/port/bind_mbedtls.c $(PARSER) host/crypto_linked.c $(VAULT_TESTS)
VAULT_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
vault_ours   = $(patsubst %.c,$(B)/vault/ours/%.o,$(1))
vault_theirs = $(patsubst $(MBEDTLS)/%.c,$(B)/vault/mbedtls/%.o,$(filter-out %/net_sockets.c,$(wildcard $(MBEDTLS)/library/*.c)))

$(B)/vault/ours/%.o: %.c tests/firmware/vault/vault.mk
	$(call say,CC,$< (vault))
	@mkdir -p $(@D)
	$(Q)$(CC) $(FW_OURS) -I$(B)/gen $(VAULT_FLAGS) -c -o $@ $<

$(B)/vault/mbedtls/%.o: $(MBEDTLS)/%.c tests/firmware/vault/vault.mk
	$(call say,CC,mbedtls/$*.c (vault))
	@mkdir -p $(@D)
	$(Q)$(CC) $(FW_THEIRS) $(VAULT_FLAGS) -O2 -c -o $@ $<

$(B)/vault/libmbedtls.a: $(vault_theirs)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rc $@ $^

$(B)/tests/vault: $(call vault_ours,$(VAULT_OURS)) $(B)/vault/libmbedtls.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(VAULT_FLAGS) -o $@ $^ -Wl,-Bstatic -lcheck -lsubunit -Wl,-Bdynamic -lrt -lm -lcrypto -pthread

# build/tests/replay-vault SEED... where there is no clang; `make fuzz-vault` searches. PBKDF2 has to be quick there.
VAULT_FUZZ   := tests/firmware/vault/fuzz/fuzz_vault.c
VAULT_FUZZED := $(filter-out $(PARSER) host/% $(VAULT_TESTS),$(VAULT_OURS))
VAULT_ROUNDS := -DVAULT_ROUNDS_MAX=100
$(B)/tests/replay-vault: $(VAULT_FUZZ) $(VAULT_FUZZED) $(B)/vault/libmbedtls.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FW_OURS) $(VAULT_FLAGS) $(VAULT_ROUNDS) -MF $(B)/vault/replay.d -o $@ $(filter %.c,$^) tests/fuzz/replay.c $(filter %.a,$^)

$(B)/fuzz/vault: $(VAULT_FUZZ) $(VAULT_FUZZED) $(vault_theirs:$(B)/vault/mbedtls/%.o=$(MBEDTLS)/%.c)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D) $(B)/vault
	$(Q)$(CLANG) $(filter-out -MMD -MP,$(FW_OURS)) -w -O1 -g -fsanitize=fuzzer,address,undefined $(VAULT_ROUNDS) -o $@ $^

.PHONY: fuzz-vault vault-seeds
vault-seeds:
	$(Q)tests/firmware/vault/fuzz/seeds.sh $(B)/vault/seeds
fuzz-vault: $(B)/fuzz/vault vault-seeds
	$(Q)mkdir -p $(B)/fuzz/found/vault
	$(Q)$(B)/fuzz/vault -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -artifact_prefix=$(B)/fuzz/found/ -print_final_stats=0 \
		-verbosity=0 $(B)/fuzz/found/vault $(B)/vault/seeds

-include $(shell find $(B)/vault -name '*.d' 2>/dev/null)
endif
