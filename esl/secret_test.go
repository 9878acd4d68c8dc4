package esl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestSecretIsNeverShown tries every verb and flag, both slog handlers and the encoders
// on a Secret, on a struct that has one, and on the command that sends it.
func TestSecretIsNeverShown(t *testing.T) {
	const word = "hunter2hunter2"
	s := NewSecret(word)
	type hidden struct{ s Secret }
	values := map[string]any{
		"secret": s, "pointer": &s, "slice": []Secret{s}, "map": map[string]Secret{"a": s},
		"field": struct{ S Secret }{s}, "unexported": hidden{s}, "nested": &struct{ H hidden }{hidden{s}},
		"command": Auth(s), "command in a struct": struct{ c Command }{Auth(s)}, "refused": Auth(NewSecret(word + "\n")),
		"error": Auth(NewSecret(word + "\n")).Validate(),
		"link":  &Link{Name: "fs1", Password: s},
	}
	forms := []string{word, fmt.Sprintf("%x", word), fmt.Sprintf("%X", word), fmt.Sprintf("% x", word), fmt.Sprintf("%v", []byte(word))}
	check := func(name, how, text string) {
		t.Helper()
		for _, form := range forms {
			if strings.Contains(text, form) {
				t.Errorf("%s is shown by %s: %s", name, how, text)
			}
		}
	}
	for name, value := range values {
		for verb := rune('A'); verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", " ", "0", "-20", "20.30"} {
				format := "%" + flags + string(verb)
				check(name, format, fmt.Sprintf(format, value))
			}
		}
		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(h).With("with", value).WithGroup("g").Info("x", "value", value, slog.Group("in", "v", value))
		}
		check(name, "slog", log.String())
		if b, err := json.Marshal(value); err == nil {
			check(name, "json", string(b))
		}
	}
	b, err := yaml.Marshal(struct{ S Secret }{s})
	if err != nil {
		t.Error(err)
	}
	check("secret", "yaml", string(b))
	check("secret", "Println", fmt.Sprintln(s, &s)+fmt.Sprint(s)+s.String()+s.GoString())
	check("error", "Errorf", fmt.Errorf("%w %v", Auth(NewSecret(word+"\n")).Validate(), s).Error())
}

func TestSecretIsRead(t *testing.T) {
	var v struct{ Password Secret }
	if err := yaml.Unmarshal([]byte("password: p w"), &v); err != nil || v.Password.Reveal() != "p w" {
		t.Errorf("yaml: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"Password":"q"}`), &v); err != nil || v.Password.Reveal() != "q" {
		t.Errorf("json: %v", err)
	}
	if (Secret{}).Reveal() != "" {
		t.Error("the zero Secret is not empty")
	}
}
