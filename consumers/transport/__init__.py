"""How viewers reach an edge: the HTTP handshake, WebSocket frames, TLS, SSE and polling."""
