# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The clients that speak TLS through GnuTLS, as clients.sh has those of OpenSSL: client_NAME PORT [1.2|1.3] makes
# one https GET (ldapsearch: a search; git: the listing of a repository) and fails where no answer came. Each trusts
# the tests' CA and does not try again, as far as it can be told so. Where $own names a credential folder the
# program gets it by its own options. The version counts for the clients in `choosers` only; for the others the
# server decides.

gnutls_clients=(wget git gnutls_cli ldapsearch apt lftp aria2 lynx emacs)
choosers=(wget gnutls_cli ldapsearch lftp emacs)
own= # the folder of the program's own certificate

# gnutls_there NAME: is it installed, and built with GnuTLS?
gnutls_there() {
	local program library=libgnutls
	case $1 in
	git) program=$(git --exec-path)/git-remote-https ;;
	gnutls_cli) program=gnutls-cli ;;
	apt) program=/usr/lib/apt/methods/http ;;
	aria2) program=aria2c ;;
	*) program=$1 ;;
	esac
	program=$(command -v "$program") && ldd "$program" | grep -q "$library"
}

gnutls_require() {
	gnutls_there "$1" >/dev/null 2>&1 || skip "$1 is not installed, or has another TLS library"
}

priority() {
	case ${1-} in
	1.2) echo NORMAL:-VERS-ALL:+VERS-TLS1.2 ;;
	1.3) echo NORMAL:-VERS-ALL:+VERS-TLS1.3 ;;
	*) echo NORMAL ;;
	esac
}

client_wget() {
	local options=()
	[ -z "${2-}" ] || options=("--ciphers=$(priority "$2")")
	[ -z "$own" ] || options+=("--certificate=$own/client_cert.pem" "--private-key=$own/private_key.pem")
	"${via[@]}" wget --no-config --no-hsts -q --tries=1 --timeout=20 "--ca-certificate=$PKI/ca.pem" "${options[@]}" \
		-O - "https://localhost:$1/"
}

# A server that is no git server has answered where git complains about what it said.
client_git() {
	local files=()
	[ -z "$own" ] || files=("GIT_SSL_CERT=$own/client_cert.pem" "GIT_SSL_KEY=$own/private_key.pem")
	"${via[@]}" env GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 "GIT_SSL_CAINFO=$PKI/ca.pem" "${files[@]}" \
		git ls-remote "https://localhost:$1/" 2>git.err || grep -F 'info/refs not valid' git.err
}

client_gnutls_cli() {
	local options=()
	[ -z "${2-}" ] || options=("--priority=$(priority "$2")")
	[ -z "$own" ] || options+=("--x509certfile=$own/client_cert.pem" "--x509keyfile=$own/private_key.pem")
	printf 'GET / HTTP/1.0\r\n\r\n' | "${via[@]}" gnutls-cli --logfile=/dev/null "--x509cafile=$PKI/ca.pem" \
		"${options[@]}" --port="$1" localhost | grep -a .
}

# libldap takes "localhost" for this machine's full name: the address, then.
client_ldapsearch() {
	local settings=("LDAPTLS_CACERT=$PKI/ca.pem")
	[ -z "${2-}" ] || settings+=("LDAPTLS_CIPHER_SUITE=$(priority "$2")")
	[ -z "$own" ] || settings+=("LDAPTLS_CERT=$own/client_cert.pem" "LDAPTLS_KEY=$own/private_key.pem")
	"${via[@]}" env "${settings[@]}" ldapsearch -LLL -x -o nettimeout=5 -l 5 -H "ldaps://127.0.0.1:$1" -b '' -s base description
}

client_apt() {
	local options=()
	[ -z "$own" ] || options=(-o "Acquire::https::SslCert=$own/client_cert.pem" -o "Acquire::https::SslKey=$own/private_key.pem")
	rm -f apt.out
	"${via[@]}" /usr/lib/apt/apt-helper -q -o APT::Sandbox::User=root -o Acquire::Retries=0 \
		-o Acquire::https::Proxy::localhost=DIRECT -o "Acquire::https::CaInfo=$PKI/ca.pem" "${options[@]}" \
		download-file "https://localhost:$1/" apt.out
	cat apt.out
}

client_lftp() {
	local commands="set ssl:ca-file $PKI/ca.pem; set net:max-retries 1; set net:timeout 20; set cmd:fail-exit true"
	[ -z "${2-}" ] || commands+="; set ssl:priority $(priority "$2")"
	[ -z "$own" ] || commands+="; set ssl:cert-file $own/client_cert.pem; set ssl:key-file $own/private_key.pem"
	rm -f lftp.out
	"${via[@]}" lftp --norc -c "$commands; get1 https://localhost:$1/ -o lftp.out"
	cat lftp.out
}

client_aria2() {
	local options=()
	[ -z "$own" ] || options=("--certificate=$own/client_cert.pem" "--private-key=$own/private_key.pem")
	rm -f aria2.out
	"${via[@]}" aria2c --no-conf -q --max-tries=1 --timeout=20 "--ca-certificate=$PKI/ca.pem" "${options[@]}" \
		-d . -o aria2.out "https://localhost:$1/"
	cat aria2.out
}

client_lynx() {
	local files=("SSL_CERT_FILE=$PKI/ca.pem")
	[ -z "$own" ] || files+=("SSL_CLIENT_CERT_FILE=$own/client_cert.pem" "SSL_CLIENT_KEY_FILE=$own/private_key.pem")
	"${via[@]}" env "${files[@]}" lynx -cfg=/dev/null -source "https://localhost:$1/" </dev/null | grep -a .
}

# Not by url-retrieve-synchronously: where the connection has ended before its sentinel ran, which takes the answer, it
# says "Dead process" and throws the answer away (url.el of Emacs 28). Nor asynchronously: a connection of that kind
# may, on a busy machine, never come to send its request.
emacs_get='(let ((end (+ (float-time) 20)) answer)
  (url-retrieve url (lambda (&rest _) (setq answer (buffer-string))) nil t t)
  (while (and (not answer) (< (float-time) end)) (accept-process-output nil 0.05))
  (unless (> (length answer) 0) (kill-emacs 1))
  (princ answer))'

client_emacs() {
	local forms="(require 'gnutls) (setq gnutls-trustfiles '(\"$PKI/ca.pem\") gnutls-verify-error t url-asynchronous nil"
	[ -z "${2-}" ] || forms+=" gnutls-algorithm-priority \"$(priority "$2")\""
	forms+=")"
	[ -z "$own" ] || forms+="(setq network-stream-use-client-certificates t auth-sources '(\"$PWD/authinfo\"))"
	[ -z "$own" ] || echo "machine localhost port $1 key $own/private_key.pem cert $own/client_cert.pem" >authinfo
	"${via[@]}" emacs -Q --batch --eval "(progn $forms (setq url \"https://localhost:$1/\"))" --eval "$emacs_get" \
		</dev/null
}
