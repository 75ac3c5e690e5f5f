# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the document takes for granted: a good credential and https://api.internal/.
stage_api
stage_credential
