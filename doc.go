// Package quorate is the root of the module; it holds only tests about the module itself.
//
// Start with README.md, then cmd/quorate.
package quorate
