package nemesis

func memberFaults() []Fault { return nil }
