# SPDX-License-Identifier: Apache-2.0
# In: lines "MODE NAME RESULT", several for a test that was run again. Out: "differs MODE NAME WITHOUT RESULTS" where not
# one result of the mode's was ever seen without the shim; "unsteady MODE NAME WITHOUT RESULTS" where one was, but not all
# are the same; "alike NAME" for what only fails, in each mode; "count MODE RESULT NUMBER" of the last results.
{
	names[$2]
	had[$1, $2, $3]
	last[$1, $2] = $3
}

function results(mode, name,    i, text) {
	for (i = 1; i <= 3; i++)
		if ((mode, name, words[i]) in had)
			text = text (text == "" ? "" : ",") words[i]
	return text == "" ? "missing" : text
}

function common(a, b,    i, parts, n) {
	n = split(a, parts, ",")
	for (i = 1; i <= n; i++)
		if (index("," b ",", "," parts[i] ","))
			return 1
	return 0
}

function compare(mode, name, without, now) {
	if (!common(without, now))
		print "differs", mode, name, without, now
	else if (without != now || now ~ /,/)
		print "unsteady", mode, name, without, now
}

END {
	split("ok skipped failed", words)
	for (name in names) {
		without = results("without", name)
		inert = results("inert", name)
		armed = results("armed", name)
		compare("inert", name, without, inert)
		compare("armed", name, without, armed)
		if (without == "failed" && inert == "failed" && armed == "failed")
			print "alike", name
	}
	for (key in last) {
		split(key, parts, SUBSEP)
		count[parts[1] " " last[key]]++
	}
	for (key in count)
		print "count", key, count[key]
}
