# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The clients: client_NAME PORT [1.2|1.3] makes one https GET to localhost:PORT, prints
# the answer's body (s_client and socat: all of the answer) and fails where none came. Each trusts the tests'
# CA, holds no certificate, makes one connection and does not try again. The array
# `via` (lib.sh) goes before the program: nothing, mtls-run, or env LD_PRELOAD=….

clients=(curl python s_client socat perl ruby php w3m)

# client_there NAME: is it installed, with its TLS module?
client_there() {
	case $1 in
	python) [ -x /usr/bin/python3 ] ;;
	s_client) command -v openssl ;;
	perl) perl -MIO::Socket::SSL -e 1 ;;
	ruby) ruby -ropenssl -e 1 ;;
	php) php -r 'exit(extension_loaded("openssl") ? 0 : 1);' ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}

client_curl() {
	local version=()
	[ -z "${2-}" ] || version=("--tlsv$2" --tls-max "$2")
	"${via[@]}" curl -sS --max-time 20 --cacert "$PKI/ca.pem" "${version[@]}" "https://localhost:$1/"
}

python_get='
import ssl, sys, urllib.request
ca, port, version = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
if version:
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
answer = urllib.request.urlopen("https://localhost:%s/" % port, context=context, timeout=20)
sys.stdout.write(answer.read().decode())'

client_python() {
	"${via[@]}" /usr/bin/python3 -I -c "$python_get" "$PKI/ca.pem" "$1" "${2-}"
}

client_s_client() {
	local version=()
	[ -z "${2-}" ] || version=("-tls${2/./_}")
	printf 'GET / HTTP/1.0\r\n\r\n' | "${via[@]}" openssl s_client -quiet -verify_quiet -verify_return_error \
		-connect "localhost:$1" -CAfile "$PKI/ca.pem" "${version[@]}" | grep -a .
}

client_socat() {
	local options=cafile=$PKI/ca.pem,pf=ip4
	[ -z "${2-}" ] || options+=,openssl-min-proto-version=TLS$2,openssl-max-proto-version=TLS$2
	printf 'GET / HTTP/1.0\r\n\r\n' | "${via[@]}" socat -t 20 - "OPENSSL:localhost:$1,$options" | grep -a .
}

perl_get='
my ($ca, $port, $version) = @ARGV;
$version = $version ? "TLSv" . $version =~ s/\./_/r : "SSLv23:!SSLv2:!SSLv3";
my $s = IO::Socket::SSL->new(PeerAddr => "localhost:$port", SSL_ca_file => $ca, SSL_version => $version, Timeout => 20)
	or die "connect: $IO::Socket::SSL::SSL_ERROR\n";
print $s "GET / HTTP/1.0\r\n\r\n";
my @answer = <$s>;
@answer or die "no answer: $IO::Socket::SSL::SSL_ERROR\n";
shift @answer while @answer and $answer[0] !~ /^\r?$/;
print @answer;'

client_perl() {
	"${via[@]}" perl -MIO::Socket::SSL -e "$perl_get" "$PKI/ca.pem" "$1" "${2-}"
}

ruby_get='
ca, port, version = ARGV
http = Net::HTTP.new("localhost", port.to_i)
http.use_ssl = true
http.ca_file = ca
http.max_retries = 0
http.open_timeout = http.read_timeout = 20
http.min_version = http.max_version = "TLS" + version.tr(".", "_") unless version.empty?
puts http.get("/").body'

client_ruby() {
	"${via[@]}" ruby -rnet/http -e "$ruby_get" "$PKI/ca.pem" "$1" "${2-}"
}

php_get='
[, $ca, $port, $version] = $argv;
$tls = ["cafile" => $ca];
if ($version)
	$tls["crypto_method"] = constant("STREAM_CRYPTO_METHOD_TLSv" . strtr($version, ".", "_") . "_CLIENT");
$context = stream_context_create(["ssl" => $tls, "http" => ["timeout" => 20]]);
$body = file_get_contents("https://localhost:$port/", false, $context);
if ($body === false || $body === "")
	exit(1);
echo $body;'

client_php() {
	"${via[@]}" php -d display_errors=stderr -r "$php_get" "$PKI/ca.pem" "$1" "${2-}"
}

client_w3m() {
	local forbid=23t5
	case ${2-} in
	1.2) forbid+=7 ;;
	1.3) forbid+=6 ;;
	esac
	"${via[@]}" w3m -dump -o ssl_verify_server=1 -o "ssl_ca_file=$PKI/ca.pem" -o "ssl_forbid_method=$forbid" \
		-o ssl_min_version=TLSv1.2 "https://localhost:$1/" </dev/null | grep -a .
}
