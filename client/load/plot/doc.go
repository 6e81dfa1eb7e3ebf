// Package plot draws charts for HTML pages that need nothing else: no scripts, no fonts, no network.
package plot
