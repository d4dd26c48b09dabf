// Package migrations holds the schema of the record stores, one set of SQL
// files a dialect, and moves a database to it with golang-migrate.
//
// Postgres is migrated by `waybill migrate up`, never by a server: several start
// at once, with a role that may not change tables. The embedded SQLite database
// is migrated when it is opened.
package migrations
