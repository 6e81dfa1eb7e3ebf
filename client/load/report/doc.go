// Package report draws a measurement as one HTML page that needs nothing else: no scripts, no fonts, no network.
package report
