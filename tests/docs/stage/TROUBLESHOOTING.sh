# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the document takes for granted: a good credential, https://api.internal/, one expired credential.
stage_api
stage_credential
cp -r "$PKI/device-expired" expired
