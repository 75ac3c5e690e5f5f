// SPDX-License-Identifier: Apache-2.0

// after URL: the same, with the machine's certificate from the same folder that mtls-run takes it from.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// machineCertificate is asked only when a server wants a certificate, each time: a certificate that is renewed while the
// program runs is the one that is used. (LoadX509KeyPair does not open encrypted keys.)
func machineCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	dir := "/etc/mtls"
	for _, name := range []string{"CREDENTIALS_DIRECTORY", "MTLS_DIR"} {
		if value := os.Getenv(name); value != "" {
			dir = value
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "client_cert.pem"), filepath.Join(dir, "private_key.pem"))
	return &pair, err
}

func fetch(url string) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{GetClientCertificate: machineCertificate}
	client := &http.Client{Transport: transport}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func main() {
	if err := fetch(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "after:", err)
		os.Exit(1)
	}
}
