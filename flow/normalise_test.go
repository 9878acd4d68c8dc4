package flow

import (
	"strings"
	"testing"
	"time"
)

func TestNormalise(t *testing.T) {
	const want = "+442079460001"
	for _, test := range []struct{ region, raw, want string }{
		{"GB", "+442079460001", want},
		{"GB", "02079460001", want},
		{"GB", "00442079460001", want},
		{"GB", "442079460001", want},
		{"GB", "+44 20 7946 0001", want},
		{"GB", "+44-20-7946-0001", want},
		{"GB", "+44 (0)20 7946 0001", want},
		{"GB", "(020) 7946.0001", want},
		{"GB", "020/79460001", want},
		{"GB", "2079460001", want},
		{"GB", "  02079460001\t", want},
		{"GB", "sip:+442079460001@carrier.example.net:5060;transport=tcp", want},
		{"GB", "SIPS:02079460001@192.0.2.1", want},
		{"GB", "sip:%2B442079460001@192.0.2.1", want},
		{"GB", "+442079460001@192.0.2.1", want},
		{"GB", "tel:+44-20-7946-0001", want},
		{"GB", "tel:02079460001;phone-context=example.net", want},
		{"GB", "tel:7946-0001;phone-context=+4420", want},
		{"GB", "tel:+44-20-7946-0001;phone-context=+1", want},
		{"GB", "+442079460001;npdi;rn=+442079460009", want},
		{"", "+442079460001", want},
		{"", "tel:7946-0001;phone-context=+4420", want},
		{"US", "011442079460001", want},
		{"US", "+442079460001", want},
		{"US", "(201) 555-0123", "+12015550123"},
		{"US", "12015550123", "+12015550123"},
		{"DE", "030 123456", "+4930123456"},
		{"IT", "06 698 1234", "+39066981234"}, // the zero belongs to the number
		{"GB", "+800 1234 5678", "+80012345678"},

		// Ranges for drama (Ofcom) and of no use yet: possible is enough.
		{"GB", "+442079460000", "+442079460000"},
		{"GB", "+442079460999", "+442079460999"},
		{"GB", "01632 960123", "+441632960123"},
		{"GB", "+445512345678", "+445512345678"},

		{"", "02079460001", ""},
		{"", "442079460001", ""},
		{"XX", "02079460001", ""},
		{"GB", "", ""},
		{"GB", "+", ""},
		{"GB", "++442079460001", ""},
		{"GB", "44+2079460001", ""},
		{"GB", "1001", ""},
		{"GB", "999", ""},
		{"GB", "+4420", ""},
		{"GB", "+999123456789", ""},
		{"GB", "+44207946000100", ""},
		{"GB", "+1234567890123456", ""},
		{"GB", "anonymous", ""},
		{"GB", "0207946OOO1", ""},
		{"GB", "1-800-FLOWERS", ""},
		{"GB", "02079460001 ext 5", ""},
		{"GB", "*1", ""},
		{"GB", "02079460001#", ""},
		{"GB", "02079460001\x00", ""},
		{"GB", "0207946\n0001", ""},
		{"GB", "０２０７９４６０００１", ""},
		{"GB", "٠٢٠٧٩٤٦٠٠٠١", ""},
		{"GB", "\xff\xfe", ""},
		{"GB", "tel:", ""},
		{"GB", "sip:@", ""},
		{"GB", "%2", ""},
		{"GB", "%2B", ""},
		{"GB", "tel:1;phone-context=++", ""},
		{"GB", strings.Repeat(" ", 41) + "+", ""},
		{"GB", "+44" + strings.Repeat(" ", 30) + "2079460001", ""},
	} {
		got, ok := Normalise(test.region, test.raw)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("Normalise(%q, %q) = %q, %t, want %q", test.region, test.raw, got, ok, test.want)
		}
	}
}

// TestNormaliseIsCheap: what a caller sends costs no more for being long.
func TestNormaliseIsCheap(t *testing.T) {
	start := time.Now()
	for _, unit := range []string{"0", "+", " ", "(", "a", ";", "sip:", "\x00", "é", "phone-context=+;"} {
		for range 1000 {
			if got, ok := Normalise("GB", strings.Repeat(unit, 10<<10)); ok {
				t.Fatalf("10 KB of %q is %s", unit, got)
			}
		}
	}
	// 10,000 of them in well under a microsecond each; the bound is for slow machines.
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("10,000 hostile numbers took %s", took)
	}
}

func BenchmarkNormalise(b *testing.B) {
	for _, raw := range []string{"02079460001", "+442079460001", "sip:+442079460001@carrier.example.net", strings.Repeat("0", 10<<10)} {
		b.Run(raw[:min(len(raw), 20)], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Normalise("GB", raw)
			}
		})
	}
}
