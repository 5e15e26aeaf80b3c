"""Envoy's own protocols over gRPC: external authorization (one question) and external processing (a conversation)."""
