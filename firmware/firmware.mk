# SPDX-License-Identifier: Apache-2.0
# The firmware twin, one object tree and one set of libraries for each board: build/firmware/BOARD/. Included by the
# top-level Makefile; plain `make` builds none of it and needs none of its tools. mbedTLS and lwIP are in the cache that
# fetch.sh fills.
#   make firmware                          host, an500, an500-small (the profile of mbedtls_config.h) and an505
#   make firmware SAN=address,undefined    host alone, into build/san/firmware/host

.PHONY: firmware firmware-build firmware-check firmware-template firmware-template-build firmware-tidy
#: make firmware   the device's firmware: for this machine (host) and for QEMU's mps2-an500, into build/firmware/
#: make firmware-check   the firmware's part of make check: vault, device on this machine and in QEMU
#: make firmware-template  links firmware/port/template, which new ports start from, for a Cortex-M7

FW_BOARDS := host $(if $(SAN),,an500 an500-small an505-secure an505)

# As demo and check do: what is missing comes first, and the second make sees it.
firmware firmware-template:
	$(Q)packaging/deps.sh build firmware
	$(Q)firmware/fetch.sh >/dev/null
	$(Q)$(MAKE) --no-print-directory $@-build

firmware-check:
	$(Q)packaging/deps.sh build check firmware
	$(Q)firmware/fetch.sh >/dev/null
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) firmware-check-binaries
	$(Q)BUILD=$(B) tests/check.sh firmware

# Only where they have been fetched.
fw_fetched = $(patsubst %/.complete,%,$(wildcard $(shell firmware/fetch.sh folder $(1) 2>/dev/null)/.complete))
MBEDTLS := $(call fw_fetched,mbedtls)
LWIP    := $(call fw_fetched,lwip)
ifneq ($(and $(MBEDTLS),$(LWIP)),)

FW_CONFIG   := -DMBEDTLS_CONFIG_FILE='"firmware/config/mbedtls_config.h"' \
	-DMBEDTLS_PSA_CRYPTO_CONFIG_FILE='"firmware/config/psa_config.h"' -I. -Ifirmware/config
FW_INCLUDES := -isystem $(MBEDTLS)/include -isystem $(MBEDTLS)/library -isystem $(LWIP)/src/include
FW_OURS     := $(FW_CONFIG) $(FW_INCLUDES) -D_GNU_SOURCE -DMTLS_VERSION='"$(VERSION)"' $(BASE)
FW_THEIRS   := $(FW_CONFIG) -I$(MBEDTLS)/include -I$(MBEDTLS)/library -I$(LWIP)/src/include -std=gnu11 -w -MMD -MP

FW_MBEDTLS := $(patsubst $(MBEDTLS)/%.c,mbedtls/%,$(wildcard $(MBEDTLS)/library/*.c))
FW_LWIP    := $(patsubst $(LWIP)/%.c,lwip/%,$(wildcard $(LWIP)/src/core/*.c $(LWIP)/src/core/ipv4/*.c) $(LWIP)/src/netif/ethernet.c)
FW_BIND    := $(wildcard firmware/port/bind*.c)

# --- boards --------------------------------------------------------------------
# FW_CC.x, FW_AR.x; FW_FLAGS.x for compiling and linking; FW_LINK.x, of an image FW_LINK.IMAGE too; FW_PORT.x: the
# sources of its port. The board's name is that of its folder in build/firmware/.
FW_CC.host    = $(CC)
FW_AR.host    = $(AR)
FW_FLAGS.host = $(CFLAGS)
FW_LINK.host  = $(LDFLAGS) -lslirp
FW_PORT.host := $(wildcard firmware/port/host/*.c)

# Code in 4 MB from 0, data in 4 MB from 0x20000000 (Arm application note 500, memory map).
FW_HEAP.an500       ?= 262144
FW_HEAP.an500-small ?= 98304
# FW_EXTRA: more flags for all that is not the host, best with another B: make firmware-build B=build/measure FW_EXTRA=…
# -DFIRMWARE_MEASURE counts the heap's peak.
FW_EXTRA    ?=
FW_M        := -mthumb -mfloat-abi=soft --specs=picolibc.specs -Os -g -ffunction-sections -fdata-sections \
	-ffile-prefix-map=$(patsubst %/,%,$(dir $(MBEDTLS)))=. -DPICOLIBC_INTEGER_PRINTF_SCANF $(FW_EXTRA)
FW_M7       := -mcpu=cortex-m7 $(FW_M)
FW_M33      := -mcpu=cortex-m33 $(FW_M)
FW_SEMIHOST := --oslib=semihost --crt0=semihost -Wl,--gc-sections

FW_CC.an500    := arm-none-eabi-gcc
FW_AR.an500    := arm-none-eabi-ar
FW_FLAGS.an500  = $(FW_M7) -DFIRMWARE_HEAP=$(FW_HEAP.an500)
FW_LINK.an500   = $(FW_SEMIHOST) -Wl,--defsym=__flash=0,--defsym=__flash_size=0x400000 \
	-Wl,--defsym=__ram=0x20000000,--defsym=__ram_size=0x400000,--defsym=__stack_size=0x6000
FW_PORT.an500  := $(wildcard firmware/port/mps2/*.c)

FW_CC.an500-small    = $(FW_CC.an500)
FW_AR.an500-small    = $(FW_AR.an500)
# Fat objects: so that the libraries can be linked without it too.
FW_LTO              ?= -flto -flto-partition=one -ffat-lto-objects
FW_FLAGS.an500-small = $(FW_M7) $(FW_LTO) -DFIRMWARE_SMALL -DFIRMWARE_HEAP=$(FW_HEAP.an500-small)
FW_LINK.an500-small  = $(FW_LINK.an500)
FW_PORT.an500-small  = $(FW_PORT.an500)

# Two images for one board: firmware/port/an505/memory.h has the addresses. The secure one is linked first; the gates of
# its entries are in entries.o, with which the other one is linked.
FW_HEAP.an505-secure ?= 262144
FW_HEAP.an505        ?= 262144
FW_MPS2              := firmware/port/mps2

FW_CC.an505-secure    = $(FW_CC.an500)
FW_AR.an505-secure    = $(FW_AR.an500)
FW_FLAGS.an505-secure = $(FW_M33) -mcmse -DFIRMWARE_HEAP=$(FW_HEAP.an505-secure)
FW_LINK.an505-secure  = $(FW_SEMIHOST) -Wl,--defsym=__flash=0x10000000,--defsym=__flash_size=0x200000 \
	-Wl,--defsym=__ram=0x38000000,--defsym=__ram_size=0x200000,--defsym=__stack_size=0x6000 \
	-T $(B)/firmware/an505-secure/secure.ld
FW_LINK.secure       = -Wl,-u,secure_vault_boot,--cmse-implib,--out-implib=$(B)/firmware/an505-secure/entries.o
FW_PORT.an505-secure := $(filter-out %/s_main.c,$(wildcard firmware/port/an505/s_*.c)) $(filter-out %/an500.c,$(wildcard $(FW_MPS2)/*.c))

FW_CC.an505    = $(FW_CC.an500)
FW_AR.an505    = $(FW_AR.an500)
FW_FLAGS.an505 = $(FW_M33) -DFIRMWARE_HEAP=$(FW_HEAP.an505)
FW_LINK.an505  = $(B)/firmware/an505-secure/entries.o --crt0=minimal -Wl,--gc-sections \
	-Wl,--defsym=__flash=0x00200000,--defsym=__flash_size=0x200000 \
	-Wl,--defsym=__ram=0x28200000,--defsym=__ram_size=0x200000,--defsym=__stack_size=0x6000
FW_PORT.an505 := $(filter-out %/ns_probe.c,$(wildcard firmware/port/an505/ns_*.c)) $(FW_MPS2)/lan9118.c $(FW_MPS2)/uart.c

# A new port starts as a copy of it, so it has to compile and link. Its memories are an STM32F777's with two banks: the
# code has the first, 1 MiB; what the vault has of the second is in board.c. All 512 KiB of RAM are in one piece.
FW_CC.template    = $(FW_CC.an500)
FW_AR.template    = $(FW_AR.an500)
FW_FLAGS.template = $(FW_FLAGS.an500)
FW_LINK.template  = --crt0=minimal -Wl,--gc-sections,--defsym=__flash=0x08000000,--defsym=__flash_size=0x100000 \
	-Wl,--defsym=__ram=0x20000000,--defsym=__ram_size=0x80000,--defsym=__stack_size=0x6000
FW_PORT.template := firmware/port/template/board.c
# Compiled alike: only the port is its own.
FW_FROM.template := an500

# --- what is built of each -----------------------------------------------------
# Libraries mbedtls, lwip, core, vault, net, app and port; app's main.c is only in device.elf.
FW_PARTS     := core vault net app
FW_SRC.core  := $(CORE)
FW_SRC.vault := $(wildcard firmware/vault/*.c)
FW_SRC.net   := $(wildcard firmware/net/*.c)
FW_SRC.app   := $(filter-out firmware/app/main.c,$(wildcard firmware/app/*.c))
FW_IMAGES    := selftest $(if $(wildcard firmware/app/main.c),device)
FW_MAIN.selftest := firmware/port/selftest.c
FW_MAIN.device   := firmware/app/main.c
FW_LIBS.selftest := port mbedtls lwip
FW_LIBS.device   := app net vault core port mbedtls lwip
# Boards that have other images, or images of other libraries.
FW_IMAGES.an505-secure := secure selftest
FW_MAIN.secure         := firmware/port/an505/s_main.c
FW_LIBS.secure         := vault core port mbedtls
FW_IMAGES.an505        := device probe
FW_MAIN.probe          := firmware/port/an505/ns_probe.c
FW_LIBS.probe          := port core mbedtls
FW_LIBS.device.an505   := $(filter-out vault,$(FW_LIBS.device))
fw_images_of = $(or $(FW_IMAGES.$(1)),$(FW_IMAGES))
fw_libraries = $(foreach board,$(1),$(foreach image,$(call fw_images_of,$(board)),$(call fw_libs,$(board),$(image))))

# RSA-PSS goes past mbedTLS's table of a key's functions: firmware/net/signer.c. Whether memory ran out is asked of
# firmware/port/memory.c.
FW_WRAP := -Wl,--wrap=mbedtls_pk_sign_ext,--wrap=mbedtls_calloc

# fw_lib BOARD LIBRARY OBJECTS
define fw_lib
$(B)/firmware/$(1)/lib$(2).a: $(3)
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$(Q)rm -f $$@ && $$(FW_AR.$(1)) rc $$@ $$^
endef

# fw_of BOARD LIBRARY
fw_of = $(B)/firmware/$(if $(filter port,$(2)),$(1),$(or $(FW_FROM.$(1)),$(1)))/lib$(2).a
# fw_libs BOARD IMAGE
fw_libs = $(foreach library,$(or $(FW_LIBS.$(2).$(1)),$(FW_LIBS.$(2))),$(call fw_of,$(1),$(library)))

# fw_image BOARD IMAGE
define fw_image
$(B)/firmware/$(1)/$(2).elf: $(B)/firmware/$(1)/ours/$(FW_MAIN.$(2):.c=.o) $(call fw_libs,$(1),$(2))
	$$(call say,LD,$$@)
	$(Q)$$(FW_CC.$(1)) $$(FW_FLAGS.$(1)) $(FW_WRAP) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(FW_LINK.$(1)) $$(FW_LINK.$(2))
endef

# fw_board BOARD
define fw_board
$(B)/firmware/$(1)/mbedtls/%.o: $(MBEDTLS)/%.c firmware/firmware.mk Makefile
	$$(call say,CC,mbedtls/$$*.c ($(1)))
	@mkdir -p $$(@D)
	$(Q)$$(FW_CC.$(1)) $$(FW_THEIRS) $$(FW_FLAGS.$(1)) -c -o $$@ $$<

# The linker wraps what it sees: not a call that link-time optimisation has resolved within (FW_WRAP).
$(B)/firmware/$(1)/mbedtls/library/pk.o $(B)/firmware/$(1)/mbedtls/library/platform.o: FW_FLAGS.$(1) += -fno-lto

$(B)/firmware/$(1)/lwip/%.o: $(LWIP)/%.c firmware/firmware.mk Makefile
	$$(call say,CC,lwip/$$*.c ($(1)))
	@mkdir -p $$(@D)
	$(Q)$$(FW_CC.$(1)) $$(FW_THEIRS) $$(FW_FLAGS.$(1)) -c -o $$@ $$<

$(B)/firmware/$(1)/ours/%.o: %.c firmware/firmware.mk Makefile
	$$(call say,CC,$$< ($(1)))
	@mkdir -p $$(@D)
	$(Q)$$(FW_CC.$(1)) $$(FW_OURS) $$(FW_FLAGS.$(1)) -c -o $$@ $$<

$(call fw_lib,$(1),mbedtls,$(FW_MBEDTLS:%=$(B)/firmware/$(1)/%.o))

$(call fw_lib,$(1),lwip,$(FW_LWIP:%=$(B)/firmware/$(1)/%.o))

$(call fw_lib,$(1),port,$(patsubst %.c,$(B)/firmware/$(1)/ours/%.o,$(FW_BIND) firmware/port/memory.c firmware/port/nor.c $(FW_PORT.$(1))))

$(foreach part,$(FW_PARTS),$(call fw_lib,$(1),$(part),$(patsubst %.c,$(B)/firmware/$(1)/ours/%.o,$(FW_SRC.$(part))))

)
$(foreach image,$(call fw_images_of,$(1)),$(call fw_image,$(1),$(image))

)
endef

$(foreach board,$(FW_BOARDS) template,$(eval $(call fw_board,$(board))))
fw_images = $(foreach board,$(1),$(patsubst %,$(B)/firmware/$(board)/%.elf,$(call fw_images_of,$(board))))
$(call fw_images,an505): $(B)/firmware/an505-secure/secure.elf
$(call fw_images,an505-secure): $(B)/firmware/an505-secure/secure.ld
$(B)/firmware/an505-secure/secure.ld: firmware/port/an505/sg.ld firmware/firmware.mk
	@mkdir -p $(@D)
	$(Q)$(FW_CC.an505-secure) $(FW_FLAGS.an505-secure) -nostdlib -Wl,--verbose -o /dev/null 2>/dev/null | \
		sed -n -e '/^=====/,/^=====/{//d;p}' -e '/\.toc :/,/:text/{/:text/r $<' -e '}' >$@
firmware-build: $(call fw_libraries,$(FW_BOARDS)) $(call fw_images,$(FW_BOARDS)) $(B)/mtls-device
firmware-template-build: $(call fw_images,template)

include tests/firmware/vault/vault.mk
include tests/firmware/fuzz/fuzz.mk
# The programs of this machine are for tests/e2e/run, and mtls-cred is what status is compared with.
firmware-check-binaries: $(call fw_libraries,host) $(call fw_images,host an500 an500-small an505-secure an505 template) $(B)/mtls-device $(PROGRAMS) $(B)/tests/mtls-server \
	$(B)/tests/vault $(FW_FUZZ:%=$(B)/tests/replay-%) $(FW_FUZZ_SEEDS)
check-binaries: firmware-check-binaries

# The emulated device on the user's desk; it looks for firmware/BOARD/device.elf beside itself.
FW_TOOL := $(wildcard firmware/tool/*.c) firmware/port/host/fresh.c
$(B)/mtls-device: $(call exe,$(FW_TOOL))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# What runs on the emulated boards only is not for clang on this machine.
tidy: firmware-tidy
firmware-tidy:
	clang-tidy --quiet $(filter-out firmware/port/mps2/% firmware/port/an505/%,$(filter firmware/%.c,$(SOURCES))) -- -std=c11 $(FW_CONFIG) $(FW_INCLUDES) \
		-D_GNU_SOURCE -DMTLS_VERSION='"$(VERSION)"'

-include $(shell find $(B)/firmware -name '*.d' 2>/dev/null)
endif
