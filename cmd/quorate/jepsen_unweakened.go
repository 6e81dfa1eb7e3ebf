//go:build !mutation

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// onlyWeakened says what a build lacks that has all guards on for good.
const onlyWeakened = "it is unknown to this build, whose guards can't be switched off: go build -tags mutation -o bin/quorate-mutation ./cmd/quorate makes one where they can"

func init() {
	weakened = append(weakened, func() *cobra.Command {
		return &cobra.Command{
			Use: "mutants", Hidden: true, DisableFlagParsing: true, Short: "Only in builds with the tag mutation",
			RunE: func(*cobra.Command, []string) error { return errors.New("jepsen mutants: " + onlyWeakened) },
		}
	})
}
