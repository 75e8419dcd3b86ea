//! Comity on a real control plane: the harness that stories, demo and benchmark share.
