package host_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"entangle.example/entangle/host"
)

// Close waits for what needs no worker, too: what makes instances ahead, and what
// asks a module for its manifest. Whoever comes later is refused.
func TestCloseBesideWarm(t *testing.T) {
	closeBeside(t, func(m *host.Module, _ *host.Host, _ int) error {
		return m.Warm(context.Background(), 2)
	})
}

func TestCloseBesideLoad(t *testing.T) {
	asks := guest(t, "manifest", "")
	closeBeside(t, func(_ *host.Module, h *host.Host, n int) error {
		_, err := h.LoadBytes(context.Background(), "m", append(asks[:len(asks):len(asks)], section(0, named("number"), fmt.Sprint(n))...))
		return err
	})
}

// closeBeside closes hosts while others do something that ends with an error once
// the host is closed.
func closeBeside(t *testing.T, do func(m *host.Module, h *host.Host, n int) error) {
	for range 20 {
		h, err := host.Open(twoWorkers())
		if err != nil {
			t.Fatal(err)
		}
		m := loadGuest(t, h, "busy", "")
		var started, wg sync.WaitGroup
		for k := range 3 {
			started.Add(1)
			wg.Go(func() {
				for n := 0; ; n++ {
					err := do(m, h, n*3+k)
					if n == 0 {
						started.Done()
					}
					if err != nil {
						if !strings.Contains(err.Error(), "the host is closed") {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		started.Wait()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := h.Live(); n != 0 {
			t.Errorf("%d instances are left", n)
		}
	}
}
