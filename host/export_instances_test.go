package host

// Live returns how many instances h has, those that are idle included.
func (h *Host) Live() int { return int(h.live.Load()) }
