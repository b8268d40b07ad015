package wasi

func treeOf(m *Mount) tree { return &rooted{root: m.Root, given: true} }
