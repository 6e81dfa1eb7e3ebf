// Package trial puts one workload and some faults together on a cluster of real processes and leaves a folder from which the
// verdict can be given again: run.json, history.jsonl, faults.jsonl, views.jsonl, end.json, the nodes' logs, and
// verdict.txt, verdict.json, report.html (a page with charts) and violation.html (porcupine's picture).
package trial
