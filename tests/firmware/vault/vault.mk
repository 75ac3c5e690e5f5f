# SPDX-License-Identifier: Apache-2.0
# The vault's tests: build/tests/vault, under AddressSanitizer and UBSan, with the device's own mbedTLS and its own
# configuration. Included behind firmware/firmware.mk, of which it has MBEDTLS, FW_OURS and FW_THEIRS.
#   make -j2 build/tests/vault && build/tests/vault        VAULT_ALL=1: all cuts; VAULT_SEED=N: as in another run
ifneq ($(MBEDTLS),)

VAULT_TESTS := $(wildcard tests/firmware/vault/*.c)
# What is under test and what stands for the board; then the hosted parser as an oracle.
VAULT_OURS  := $(CORE) $(wildcard firmware/vault/*.c) firmware/port/nor.c firmware/port/host/flash_ram.c \
	firmware/port/bind.c firmware/port/bind_mbedtls.c
VAULT_ALL   := $(VAULT_OURS) $(PARSER) host/crypto_linked.c $(VAULT_TESTS)
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

$(B)/tests/vault: $(call vault_ours,$(VAULT_ALL)) $(B)/vault/libmbedtls.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(VAULT_FLAGS) -o $@ $^ -Wl,-Bstatic -lcheck -lsubunit -Wl,-Bdynamic -lrt -lm -lcrypto -pthread

-include $(shell find $(B)/vault -name '*.d' 2>/dev/null)
endif
