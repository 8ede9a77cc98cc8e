package jsontext

import (
	"strings"
	"testing"
)

// event is one as clients write it.
const event = `{"time":"2026-05-30T18:21:05+02:00","type":"purchase","amount":12.25,"channel":"web"}`

var sink string

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"short": `"amount"`, "time": `"2026-05-30T18:21:05+02:00"`, "long": `"` + strings.Repeat("lorem ipsum ", 100) + `"`,
		"umlauts": `"Zürich Öffnung"`, "escapes": `"a \"quoted\" word\n"`,
	} {
		text += ` : ["what", "follows"]`
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := Scanner{text: text}
				sink = s.Text()
			}
		})
	}
}

// BenchmarkValue takes values strictly and lightly.
func BenchmarkValue(b *testing.B) {
	for name, text := range map[string]string{
		"events":  `[` + strings.Repeat(event+",", 29) + event + `]`,
		"tensor":  `[` + strings.Repeat("0.12345678,", 999) + `-1.5e-7]`,
		"escaped": `["` + strings.ReplaceAll(strings.Repeat(event, 30), `"`, `\"`) + `"]`,
	} {
		for way, take := range map[string]func(*Scanner){"Skip": (*Scanner).Skip, "Pass": (*Scanner).Pass} {
			b.Run(way+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					s := Scanner{text: text}
					if take(&s); s.End() != nil {
						b.Fatal(s.Err())
					}
				}
			})
		}
	}
}
