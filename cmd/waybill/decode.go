package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
)

// runDecode is `waybill decode NUMBER`: what a number says by itself, under the
// layout and the key of the environment.
func runDecode(ctx context.Context, args []string, l envconfig.Lookuper, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("decode needs a tracking number: %w", errUsage)
	}
	c, err := loadConfig(ctx, l)
	if err != nil {
		return err
	}
	id, origin, err := c.Form.Parse(strings.Join(args, " ")) // printed in groups, a number is several arguments
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "number    %s\nid        %d\ntime      %s\nworker    %d\nsequence  %d\norigin    %s\nform      %s\n",
		c.Form.Format(id, origin), id, c.Layout.Time(id).Format("2006-01-02T15:04:05.000Z07:00"),
		c.Layout.Worker(id), c.Layout.Sequence(id), origin, c.Form)
	if err == nil && c.Layout.Time(id).After(time.Now().Add(time.Hour)) {
		_, err = fmt.Fprintln(stdout, "note      the time is in the future: is SECRET_KEY that of the issuer?")
	}
	return err
}
