package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"waybill/generator"
	"waybill/internal/disk"

	"github.com/google/uuid"
)

// File is the authority of a single instance: a file in its data directory,
// locked against a second process. It may be used concurrently.
type File struct {
	dir     string
	claim   time.Duration
	workers int
	lock    *os.File

	created bool // by OpenFile

	mu     sync.Mutex
	clock  pinned
	state  fileState // as it is on disk
	newest Token     // the last that was granted a window by this process
}

// fileState is the file's content, JSON so that an operator can read it.
type fileState struct {
	Version int               `json:"version"`
	Space   Space             `json:"space"`
	Workers map[int]fileClaim `json:"workers"` // those that were ever used
}

type fileClaim struct {
	Token Token `json:"token"`
	Epoch int64 `json:"epoch"`
	From  int64 `json:"from_unix_ms"`
	Until int64 `json:"until_unix_ms"`
}

const (
	fileName    = "lease.json"
	fileVersion = 1
	filePeriod  = time.Second
)

// OpenFile locks dir, which is made if need be, and reads its lease file or
// begins one for a new space. Windows reach claim ahead. It fails when another
// process holds dir, when the file's space is not the one configured, and when
// the file cannot be read: it never starts afresh over a file it does not
// understand.
func OpenFile(dir string, configured Space, claim time.Duration) (*File, error) {
	if err := disk.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	lock, err := disk.Lock(dir)
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("lease: data directory %s is %w: stop it, or give this one a DATA_DIR of its own", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lease: data directory %s: %w", dir, err)
	}
	f := &File{dir: dir, claim: claim, workers: 1 << configured.WorkerBits, lock: lock, clock: pin()}
	if err := f.load(configured); err != nil {
		return nil, errors.Join(fmt.Errorf("lease: %w", err), lock.Close())
	}
	return f, nil
}

// load reads the file, or writes the first one.
func (f *File) load(configured Space) error {
	path := filepath.Join(f.dir, fileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		configured.ID, f.created = uuid.NewString(), true
		return f.store(fileState{Version: fileVersion, Space: configured})
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &f.state); err != nil {
		return fmt.Errorf("%s is damaged (%w): restore it; if that is impossible, start a new space in another DATA_DIR", path, err)
	}
	if f.state.Version != fileVersion {
		return fmt.Errorf("%s has version %d, this program reads %d: run the program that wrote it", path, f.state.Version, fileVersion)
	}
	return f.state.Space.Mismatch(configured, path)
}

// Space is the number space of the file, with its ID.
func (f *File) Space() Space {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Space
}

// Created reports whether OpenFile found nothing and began a new number space.
func (f *File) Created() bool { return f.created }

// Name is "file".
func (f *File) Name() string { return "file" }

// Period is short because most extensions write nothing; they keep the
// generator's clock to the machine's after a suspension.
func (f *File) Period() time.Duration { return filePeriod }

// Free implements Authority.
func (f *File) Free(context.Context, Instance) (v Vacancy, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v.Now = f.clock.now()
	for worker := range f.workers {
		if until := f.state.Workers[worker].Until; until <= v.Now {
			v.Workers = append(v.Workers, worker)
		} else if v.Next == 0 || until < v.Next {
			v.Next = until
		}
	}
	return v, nil
}

// Grant stores a window before it returns it. An extension is stored only when
// a sixth of the claim is used up.
func (f *File) Grant(_ context.Context, c Claim) (Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	held := f.state.Workers[c.Worker]
	until := now + f.claim.Milliseconds()
	switch {
	case held.Token != c.Token && c.Number > 1:
		return Grant{}, ErrLost
	case held.Token != c.Token && held.Until > now:
		return Grant{}, ErrOccupied
	case held.Token != c.Token:
		from := max(now, held.Until, c.Floor)
		held = fileClaim{Token: c.Token, Epoch: held.Epoch + 1, From: from, Until: from + f.claim.Milliseconds()}
	case until-held.Until < f.claim.Milliseconds()/6:
		return held.grant(c.Worker, now), nil
	default:
		held.Until = until
	}
	if err := f.set(c.Worker, held); err != nil {
		return Grant{}, err
	}
	f.newest = c.Token
	return held.grant(c.Worker, now), nil
}

// Trim lowers the stored end.
func (f *File) Trim(_ context.Context, worker int, token Token, until int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := f.state.Workers[worker]
	if held.Token != token {
		return ErrLost
	}
	if until >= held.Until {
		return nil // nothing to give back
	}
	held.Until = max(held.From, until)
	return f.set(worker, held)
}

// Holders implements Authority. The file does not tell of instances: there is
// only this one.
func (f *File) Holders(context.Context) (h Holders, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.Now = f.clock.now()
	for worker, c := range f.state.Workers {
		if c.Until > h.Now {
			h.Windows = append(h.Windows, Holder{Worker: worker, From: c.From, Until: c.Until, Held: c.Token == f.newest})
		}
	}
	return h, nil
}

// Close unlocks the directory. Windows that were not trimmed stay parked.
func (f *File) Close() error { return f.lock.Close() }

// set stores the state with one worker changed; f.state follows the disk.
func (f *File) set(worker int, c fileClaim) error {
	workers := map[int]fileClaim{worker: c}
	for w, other := range f.state.Workers {
		if w != worker {
			workers[w] = other
		}
	}
	return f.store(fileState{Version: fileVersion, Space: f.state.Space, Workers: workers})
}

func (f *File) store(s fileState) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	if err := disk.Replace(filepath.Join(f.dir, fileName), append(data, '\n')); err != nil {
		return fmt.Errorf("lease: store the window: %w", err)
	}
	f.state = s
	return nil
}

func (c fileClaim) grant(worker int, now int64) Grant {
	return Grant{Window: generator.Window{Worker: worker, From: c.From, Until: c.Until, Epoch: c.Epoch}, Now: now}
}
