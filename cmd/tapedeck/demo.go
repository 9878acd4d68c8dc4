package main

import (
	"context"
	"errors"
	"io"
)

func demo(_ context.Context, _ []string, _, _ io.Writer) error { return errors.New("being written") }
