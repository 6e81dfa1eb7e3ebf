// Package ops serves a node's HTTP port for operators: /metrics, /healthz and /readyz.
package ops
