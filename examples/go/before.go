// SPDX-License-Identifier: Apache-2.0

// before URL: fetches it. Go has a TLS of its own in every program: mtls-run cannot reach it.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func fetch(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func main() {
	if err := fetch(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "before:", err)
		os.Exit(1)
	}
}
