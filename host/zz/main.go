package main
import ("context";"fmt";"os";"time";"strconv"
"entangle.example/entangle/graph"
"entangle.example/entangle/host")
func main(){
 h,_:=host.Open(host.Config{}.WithoutCache())
 t:=time.Now()
 m,err:=h.Load(context.Background(),os.Args[1]); if err!=nil{fmt.Println(err, time.Since(t));return}
 fmt.Println("load",time.Since(t))
 if len(os.Args)<3{return}
 var args []any
 for _,a:=range os.Args[3:]{n,_:=strconv.Atoi(a);args=append(args,n)}
 ctx,c:=context.WithTimeout(context.Background(),time.Second);defer c()
 t=time.Now()
 vs,err:=graph.RunAll(ctx,h,[]*graph.Node{m.Task(os.Args[2])(args...)})
 fmt.Println(vs,err,time.Since(t))
}
