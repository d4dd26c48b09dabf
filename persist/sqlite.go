package persist

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"waybill/generator"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite is the embedded store: one file, one process. A commit is on the disk
// when Load returns.
type SQLite struct {
	db      *sql.DB
	numbers Numbers
	find    *sql.Stmt

	mu     sync.Mutex // one writer
	writer *sql.Conn
	feed   *feed
	insert *sql.Stmt
}

// SQLiteURL is the data source name of the database in a file. The write-ahead
// log is moved into the database every 40 MB: the pages that grow are then
// written once, not once a second.
func SQLiteURL(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(10000)&_txlock=immediate"
}

// OpenSQLite opens the database in a file, whose schema must be in place.
func OpenSQLite(ctx context.Context, path string, n Numbers) (*SQLite, error) {
	s := &SQLite{numbers: n, feed: &feed{numbers: n}}
	embedded := new(sqlite.Driver) // of its own: the feed is registered on it
	if err := embedded.RegisterModule("feed", s.feed); err != nil {
		return nil, fmt.Errorf("persist: sqlite: %w", err)
	}
	s.db = sql.OpenDB(connector{embedded, SQLiteURL(path)})
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("persist: open %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *SQLite) prepare(ctx context.Context) (err error) {
	if s.writer, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if _, err = s.writer.ExecContext(ctx, "CREATE VIRTUAL TABLE temp.batch USING feed"); err != nil {
		return err
	}
	s.insert, err = s.writer.PrepareContext(ctx, "INSERT INTO tracking_numbers ("+numberColumns+") SELECT * FROM temp.batch")
	if err != nil {
		return err
	}
	s.find, err = s.db.PrepareContext(ctx, `SELECT origin_country_id, destination_country_id, weight_grams, order_created_at,
		customer_id, customer_name, customer_slug, lease_epoch FROM tracking_numbers WHERE id = ?`)
	return err
}

// connector opens connections of a driver that is not registered by name.
type connector struct {
	driver driver.Driver
	name   string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.name) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// Enter implements Store.
func (s *SQLite) Enter(_ context.Context, space uuid.UUID, definition []byte) (id uuid.UUID, stored []byte, err error) {
	err = s.transaction(func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO number_space (id, definition) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM number_space)",
			space.String(), string(definition)); err != nil {
			return err
		}
		return tx.QueryRow("SELECT id, definition FROM number_space").Scan(&id, &stored)
	})
	return id, stored, err
}

// Progress implements Store.
func (s *SQLite) Progress(_ context.Context, spool uuid.UUID, before uint64) (committed uint64, err error) {
	err = s.transaction(func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO spool_progress (spool_id, committed) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM spool_progress WHERE spool_id = ?1)",
			spool.String(), int64(before)); err != nil {
			return err
		}
		return tx.QueryRow("SELECT committed FROM spool_progress WHERE spool_id = ?", spool.String()).Scan(&committed)
	})
	return committed, err
}

// Load implements Store.
func (s *SQLite) Load(_ context.Context, b Batch) error {
	return s.transaction(func(tx *sql.Tx) error { return s.load(tx, b) })
}

func (s *SQLite) load(tx *sql.Tx, b Batch) error {
	result, err := tx.Exec("UPDATE spool_progress SET committed = ?, updated_at = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE spool_id = ? AND committed = ?",
		int64(b.Last), b.Spool.String(), int64(b.First-1))
	if err != nil {
		return err
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		return errors.Join(ErrProgress, err)
	}
	s.feed.batch, s.feed.spool = b, b.Spool.String()
	defer func() { s.feed.batch = Batch{} }()
	insert := tx.Stmt(s.insert)
	defer func() { _ = insert.Close() }() // the end of the transaction closes it, too
	_, err = insert.Exec()
	return err
}

// LoadApart implements Store.
func (s *SQLite) LoadApart(_ context.Context, b Batch) (conflicts []Conflict, err error) {
	err = s.transaction(func(tx *sql.Tx) error {
		known := map[generator.ID]Conflict{}
		for _, e := range b.Entries {
			var c Conflict
			err := tx.QueryRow("SELECT spool_id, spool_sequence FROM tracking_numbers WHERE id = ?", int64(e.ID)).Scan(&c.FirstSpool, &c.FirstSequence)
			if err == nil {
				known[e.ID] = c
			} else if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		var fresh Batch
		fresh, conflicts = apart(b, known)
		for _, c := range conflicts {
			if _, err := tx.Exec("INSERT OR IGNORE INTO issued_conflicts (id, tracking_number, spool_id, spool_sequence, record, first_spool_id, first_sequence) VALUES (?, ?, ?, ?, ?, ?, ?)",
				int64(c.ID), s.numbers.Form.Format(c.ID, c.Origin), b.Spool.String(), int64(c.Sequence), string(s.numbers.json(c.Entry)),
				c.FirstSpool.String(), int64(c.FirstSequence)); err != nil {
				return err
			}
		}
		return s.load(tx, fresh)
	})
	return conflicts, err
}

// transaction runs do on the writer's connection and commits. It is not bound
// to a context: the driver would start a goroutine for each statement, and a
// local file does not keep anybody waiting.
func (s *SQLite) transaction(do func(*sql.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.writer.BeginTx(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("persist: sqlite: %w", err)
	}
	if err = do(tx); err != nil {
		err = errors.Join(err, tx.Rollback())
	} else {
		err = tx.Commit()
	}
	if failed, ok := errors.AsType[*sqlite.Error](err); ok && failed.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return fmt.Errorf("%w: %w", ErrDuplicate, err)
	}
	if err != nil {
		return fmt.Errorf("persist: sqlite: %w", err)
	}
	return nil
}

// Find implements Store.
func (s *SQLite) Find(ctx context.Context, id generator.ID) (Record, error) {
	r := Record{ID: id}
	var origin, destination string
	err := s.find.QueryRowContext(ctx, int64(id)).Scan(&origin, &destination, &r.Weight, &r.OrderedAt,
		&r.CustomerID, &r.CustomerName, &r.CustomerSlug, &r.Epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("%w: sqlite: %w", ErrAway, err)
	}
	copy(r.Origin[:], origin)
	copy(r.Destination[:], destination)
	return r, nil
}

// Close closes the database.
func (s *SQLite) Close() error {
	var errs []error
	for _, statement := range []*sql.Stmt{s.insert, s.find} {
		if statement != nil {
			errs = append(errs, statement.Close())
		}
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	return errors.Join(append(errs, s.db.Close())...)
}
