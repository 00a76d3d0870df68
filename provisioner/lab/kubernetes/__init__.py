"""The lab's Kubernetes: real control plane, real nodes, real pods, on this machine."""
