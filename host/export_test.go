package host

// Forget closes all modules of h, which nobody uses: a fuzz target loads millions.
func (h *Host) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, m := range h.modules {
		_ = m.close()
		delete(h.modules, id)
	}
}

// WasRead reports whether the module's bytes were read.
func (m *Module) WasRead() bool {
	m.source.mu.Lock()
	defer m.source.mu.Unlock()
	return m.source.binary != nil
}

// Host returns the host that has loaded m.
func (m *Module) Host() *Host { return m.host }
