package instrument

// Records: what is known of a large module and of its rewritten form, so that a later
// process need neither read nor rewrite it.

import (
	"bytes"
	"encoding/gob"
)

// A Record is what is known of a module.
type Record struct {
	Module    *Module
	Rewritten *Rewritten
	Result    *Module // of the rewritten form
}

// stored is what a Record is on disk.
type stored struct {
	Module, Result           Module
	Rewritten                Rewritten
	Effects                  map[string]Effect
	Imported, Defined, Shift uint32
	Exported                 map[uint32]string
}

// Encode returns the record as bytes: of the sections that engines do not read, those
// with the names that it is given.
func (r *Record) Encode(sections ...string) ([]byte, error) {
	s := stored{Module: *r.Module, Result: *r.Result, Rewritten: *r.Rewritten, Effects: r.Rewritten.effects,
		Imported: r.Rewritten.imported, Defined: r.Rewritten.defined, Shift: r.Rewritten.shift, Exported: r.Rewritten.exported}
	s.Rewritten.Binary, s.Rewritten.Result = nil, nil
	s.Result.Custom = nil
	s.Module.Custom = map[string][]byte{}
	for _, name := range sections {
		if text, ok := r.Module.Custom[name]; ok {
			s.Module.Custom[name] = text
		}
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(&s)
	return b.Bytes(), err
}

// DecodeRecord is the inverse of Encode, for bytes that it has made. source returns the
// rewritten form, should an engine need it.
func DecodeRecord(b []byte, source func() ([]byte, error)) (*Record, error) {
	var s stored
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&s); err != nil {
		return nil, err
	}
	r := &s.Rewritten
	r.effects, r.imported, r.defined, r.shift, r.exported, r.source = s.Effects, s.Imported, s.Defined, s.Shift, s.Exported, source
	s.Module.index()
	s.Result.index()
	r.Result = &s.Result
	return &Record{&s.Module, r, &s.Result}, nil
}

// index makes byName, of exports with different names.
func (m *Module) index() {
	m.byName = make(map[string]int, len(m.Exports))
	for k, e := range m.Exports {
		m.byName[e.Name] = k
	}
}

// Code returns the rewritten module.
func (r *Rewritten) Code() ([]byte, error) {
	if r.Binary == nil && r.source != nil {
		var err error
		if r.Binary, err = r.source(); err != nil {
			return nil, err
		}
	}
	return r.Binary, nil
}

// Describe describes the rewritten module.
func (r *Rewritten) Describe() (*Module, error) {
	if r.Result != nil {
		return r.Result, nil
	}
	code, err := r.Code()
	if err != nil {
		return nil, err
	}
	r.Result, err = Describe(code)
	return r.Result, err
}
