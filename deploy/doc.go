// Package deploy holds what runs Quorate elsewhere: service units, container images, dashboards and alert rules.
package deploy
