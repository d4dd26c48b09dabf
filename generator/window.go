package generator

// Window is the right to stamp IDs with one worker at the timestamps From up
// to, not including, Until, both in Unix milliseconds. Windows of one worker
// never overlap; worker and From together name a window, and only its Until may
// grow. Epoch is the acquisition that it belongs to, which records carry. The
// zero Window is empty.
type Window struct {
	Worker      int
	From, Until int64
	Epoch       int64
}

// Intersect returns the part of w that o allows too: what may be issued under
// two authorities is what both granted. The windows must be of one worker; the
// epoch is o's.
func (w Window) Intersect(o Window) Window {
	return Window{Worker: w.Worker, From: max(w.From, o.From), Until: min(w.Until, o.Until), Epoch: o.Epoch}
}

// Empty reports whether nothing can be stamped in w.
func (w Window) Empty() bool { return w.Until <= w.From }
