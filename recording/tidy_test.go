package recording

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestTidyReachesEveryText: no text of a sidecar is written as it came, whichever
// field it is in.
func TestTidyReachesEveryText(t *testing.T) {
	const evil = "a\x00b\u202ec"
	var s Sidecar
	setTexts(reflect.ValueOf(&s).Elem(), evil)
	texts := 0
	walkTexts(reflect.ValueOf(s.tidy()), "Sidecar", func(path, text string) {
		texts++
		if strings.ContainsAny(text, "\x00\u202e") {
			t.Errorf("%s is written as it came", path)
		}
	})
	if texts < 20 {
		t.Errorf("only %d texts were looked at", texts)
	}
}

// setTexts sets every text below v, and gives every list and pointer one element.
func setTexts(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setTexts(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		setTexts(v.Index(0), text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				setTexts(v.Field(i), text)
			}
		}
	}
}

// walkTexts calls found for every text below v.
func walkTexts(v reflect.Value, path string, found func(path, text string)) {
	switch v.Kind() {
	case reflect.String:
		found(path, v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			walkTexts(v.Elem(), path, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkTexts(v.Index(i), path+"[]", found)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				walkTexts(v.Field(i), path+"."+f.Name, found)
			}
		}
	}
}
