package abi

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Names that host and guest know each other by; abi/README.md says what each does.
const (
	// ImportModule is the module that a guest imports the host's functions from.
	// A change that would break a guest gets a new name.
	ImportModule = "entangle_v1"
	ImportLog    = "log"
	ImportFail   = "fail"

	ManifestSection = "entangle"          // custom section
	ExportManifest  = "entangle_manifest" // () -> i64, where there is no section
	ExportAlloc     = "entangle_alloc"    // (size i32) -> i32
	ExportCall      = "entangle_call"     // (task i32, args_ptr i32, args_len i32) -> i64
	ExportInit      = "_initialize"
	ExportStart     = "_start"
	ExportMemory    = "memory"
)

// Limits of a manifest.
const (
	MaxManifest  = 1 << 20 // bytes of text
	MaxTasks     = 4096
	MaxParams    = 255
	MaxNameBytes = 128
)

// A Manifest says what a module's tasks are. Its text form is the one that
// abi/README.md defines, one declaration a line, so that sections of several
// object files may simply be joined.
type Manifest struct {
	Doc    string   // of the module
	Grants []string // what the module wants to be granted, such as "fs:ro=/data"
	Tasks  []TaskDecl
}

// A TaskDecl declares one task.
type TaskDecl struct {
	Name  string
	Doc   string
	Plain bool // an export of numbers, as it is; else a typed task
	Sig   Signature
	// Index is the number by which ExportCall knows a typed task: its place
	// among the typed tasks, from 0.
	Index   int
	Timeout time.Duration // default policy: 0 means none
	Memory  int64         // default policy: bytes, 0 means the host's default
}

// A Signature gives the types of a task's parameters and result.
type Signature struct {
	Params   []Param
	Variadic bool // the last parameter may be given any number of times, or not at all
	Result   Type
}

// A Param is one parameter of a task.
type Param struct {
	Name string
	Type Type
}

// Arity returns how few and how many arguments s takes; max is -1 for any number.
func (s Signature) Arity() (min, max int) {
	n := len(s.Params)
	if s.Variadic {
		return n - 1, -1
	}
	return n, n
}

// Param returns the type of argument i, which Arity allows.
func (s Signature) Param(i int) Param {
	if s.Variadic && i >= len(s.Params) {
		i = len(s.Params) - 1
	}
	return s.Params[i]
}

// String returns s as the manifest writes it, without a name: "(a: int) -> int".
func (s Signature) String() string {
	var b strings.Builder
	b.WriteByte('(')
	for i, p := range s.Params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Name + ": " + p.Type.String())
		if s.Variadic && i == len(s.Params)-1 {
			b.WriteString("...")
		}
	}
	b.WriteByte(')')
	if s.Result != NullType {
		b.WriteString(" -> " + s.Result.String())
	}
	return b.String()
}

// ParseManifest reads the text form. Its errors give the line.
func ParseManifest(text []byte) (*Manifest, error) {
	if len(text) > MaxManifest {
		return nil, fmt.Errorf("manifest of %d bytes: at most %d", len(text), MaxManifest)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("manifest is not valid UTF-8")
	}
	m := &Manifest{}
	seen := map[string]bool{}
	typed := 0
	line := 0
	for s := range strings.Lines(string(text)) {
		line++
		decl, doc, _ := strings.Cut(s, "#")
		decl, doc = strings.TrimSpace(decl), strings.TrimSpace(doc)
		if decl == "" {
			continue
		}
		word, rest, _ := strings.Cut(decl, " ")
		var err error
		switch word {
		case "module":
			if rest != "" {
				err = fmt.Errorf("module takes nothing but a comment, got %q", clip(rest))
			}
			m.Doc = doc
		case "grant":
			m.Grants = append(m.Grants, strings.TrimSpace(rest))
		case "task", "plain":
			t := TaskDecl{Doc: doc, Plain: word == "plain"}
			if err = t.parse(rest); err != nil {
				break
			}
			if seen[t.Name] {
				err = fmt.Errorf("task %q is declared twice", t.Name)
			}
			seen[t.Name] = true
			if !t.Plain {
				t.Index = typed
				typed++
			}
			m.Tasks = append(m.Tasks, t)
			if len(m.Tasks) > MaxTasks {
				err = fmt.Errorf("more than %d tasks", MaxTasks)
			}
		default:
			err = fmt.Errorf("unknown declaration %q: want module, grant, task or plain", clip(word))
		}
		if err != nil {
			return nil, fmt.Errorf("manifest, line %d: %w", line, err)
		}
	}
	return m, nil
}

// parse reads what follows the word "task": a name, a signature, options.
func (t *TaskDecl) parse(s string) error {
	name, sig, ok := strings.Cut(s, "(")
	t.Name = strings.TrimSpace(name)
	if !ok {
		return fmt.Errorf("%q is no signature: want name(param: type, …) -> type", clip(s))
	}
	if err := CheckName(t.Name); err != nil {
		return err
	}
	options, err := t.Sig.parse(sig)
	if err != nil {
		return fmt.Errorf("task %s: %w", t.Name, err)
	}
	for _, o := range strings.Fields(options) {
		key, val, _ := strings.Cut(o, "=")
		switch key {
		case "timeout":
			if t.Timeout, err = time.ParseDuration(val); err == nil && t.Timeout <= 0 {
				err = fmt.Errorf("timeout %s is not positive", val)
			}
		case "memory":
			t.Memory, err = ParseSize(val)
		default:
			err = fmt.Errorf("unknown option %q: want timeout=DURATION or memory=SIZE", clip(o))
		}
		if err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
	}
	return nil
}

// ParseSignature reads a signature as a manifest writes it, without a name:
// "(a: int, rest: string...) -> list[int]". A missing result is null.
func ParseSignature(s string) (Signature, error) {
	var sig Signature
	body, ok := strings.CutPrefix(strings.TrimSpace(s), "(")
	if !ok {
		return sig, fmt.Errorf("signature %q does not begin with (", clip(s))
	}
	rest, err := sig.parse(body)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q follows the signature", clip(rest))
	}
	return sig, err
}

// parse reads a signature from behind its opening parenthesis and returns what
// follows it, without leading blanks.
func (sig *Signature) parse(s string) (rest string, err error) {
	s = strings.TrimLeft(s, " ")
	for !strings.HasPrefix(s, ")") {
		if sig.Variadic {
			return "", fmt.Errorf("a parameter follows the variadic one")
		}
		if len(sig.Params) == MaxParams {
			return "", fmt.Errorf("more than %d parameters", MaxParams)
		}
		name, after, ok := strings.Cut(s, ":")
		p := Param{Name: strings.TrimSpace(name)}
		if !ok {
			return "", fmt.Errorf("%q is no parameter: want name: type", clip(s))
		}
		if err := CheckName(p.Name); err != nil {
			return "", err
		}
		if p.Type, s, err = parseType(after, maxTypeDepth); err != nil {
			return "", err
		}
		s = strings.TrimLeft(s, " ")
		if r, ok := strings.CutPrefix(s, "..."); ok {
			sig.Variadic, s = true, strings.TrimLeft(r, " ")
		}
		sig.Params = append(sig.Params, p)
		if r, ok := strings.CutPrefix(s, ","); ok {
			s = strings.TrimLeft(r, " ")
		} else if !strings.HasPrefix(s, ")") {
			return "", fmt.Errorf("want , or ) after parameter %s, got %q", p.Name, clip(s))
		}
	}
	sig.Result = NullType
	rest = strings.TrimLeft(s[1:], " ")
	if r, ok := strings.CutPrefix(rest, "->"); ok {
		if sig.Result, rest, err = parseType(r, maxTypeDepth); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(rest), nil
}

// CheckName reports whether s may name a task or a parameter: a letter or "_",
// then letters, digits and "_", all ASCII, at most [MaxNameBytes] of them.
func CheckName(s string) error {
	ok := s != "" && len(s) <= MaxNameBytes
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9'
	}
	if !ok {
		return fmt.Errorf("%q is no name: want letters, digits and _, at most %d", clip(s), MaxNameBytes)
	}
	return nil
}

// ParseSize reads a number of bytes with an optional suffix: "1048576", "64KiB",
// "1.5GiB". The suffixes KB, MB, GB are powers of 1000.
func ParseSize(s string) (int64, error) {
	num := strings.TrimRight(s, "BKMGTikmgtb")
	unit := strings.ToLower(s[len(num):])
	scale, ok := map[string]float64{
		"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
		"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	}[unit]
	f, err := strconv.ParseFloat(num, 64)
	if !ok || err != nil || !(f*scale >= 1 && f*scale < 1<<62) {
		return 0, fmt.Errorf("%q is no size: want a number with KiB, MiB or GiB", clip(s))
	}
	return int64(f * scale), nil
}
