/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module in front of SoftHSM (PKCS11_REAL): notes each login in PKCS11_LOG as "login RESULT", and plays the
 * token that SoftHSM is not. PKCS11_FLAGS: more flags of the token, as a number. While the file PKCS11_GONE exists
 * the token is pulled out: its sessions are dead, and stay so when it is back.
 */
#include <dlfcn.h>
#include <p11-kit-1/p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static CK_FUNCTION_LIST *real, ours;

static bool gone(void)
{
	const char *file = getenv("PKCS11_GONE");
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16;

	if (!file || access(file, F_OK) != 0)
		return false;
	real->C_GetSlotList(CK_TRUE, slots, &n);
	while (n)
		real->C_CloseAllSessions(slots[--n]);
	return true;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
	CK_RV rv = real->C_GetSlotList(present, slots, n);

	if (gone())
		*n = 0;
	return rv;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	const char *flags = getenv("PKCS11_FLAGS");
	CK_RV rv = gone() ? CKR_TOKEN_NOT_PRESENT : real->C_GetTokenInfo(slot, info);

	if (rv == CKR_OK && flags)
		info->flags |= strtoul(flags, NULL, 0);
	return rv;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG n)
{
	CK_RV rv = gone() ? CKR_DEVICE_REMOVED : real->C_Login(session, user, pin, n);
	FILE *f = fopen(getenv("PKCS11_LOG"), "ae");

	if (f) {
		fprintf(f, "login 0x%lx\n", rv);
		fclose(f);
	}
	return rv;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return gone() ? CKR_DEVICE_REMOVED : real->C_SignInit(session, mechanism, key);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	void *handle = dlopen(getenv("PKCS11_REAL"), RTLD_NOW);
	CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;

	if (handle)
		*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (!get || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	ours = *real;
	ours.C_GetFunctionList = C_GetFunctionList;
	ours.C_GetSlotList = get_slot_list;
	ours.C_GetTokenInfo = get_token_info;
	ours.C_Login = login;
	ours.C_SignInit = sign_init;
	*list = &ours;
	return CKR_OK;
}
