package generate
import ("testing";"math/rand/v2";"os";"fmt")
func TestScratch(t *testing.T){
 os.MkdirAll("/tmp/w/gen/mods",0o755)
 most:=0
 for s:=range 300 { b:=bytesOf(uint64(s)); p:=Module(b); most=max(most,p.Work); os.WriteFile(fmt.Sprintf("/tmp/w/gen/mods/%d.wasm",s),p.Binary,0o644) }
 t.Log(most)
}
func bytesOf(seed uint64) []byte { r:=rand.New(rand.NewPCG(seed,1)); b:=make([]byte,16<<r.IntN(11)); for i:=range b {b[i]=byte(r.Uint32())}; return b }
