package generator

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

var malaysia = Country{'M', 'Y'}

func opaque(t testing.TB) Form {
	t.Helper()
	f, err := Opaque([]byte("a test's secret key, 28 bytes"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheNumberOfTheDesign(t *testing.T) {
	if got := (Form{}).Format(117915852988239909, malaysia); got != "038QBTZSC0M15MY9" {
		t.Errorf("got %s", got)
	}
}

// Pairs published by IFPI, DPD and other implementations of MOD 37,36.
func TestCheckCharactersOfOthers(t *testing.T) {
	for body, want := range map[string]byte{
		"A12425GABC1234002": 'M', "A12425GXYZ9876008": '6', "123AB": 'X', "RABD": 'A', "9": 'J',
		"B7Q3SFTUSH2QN7BIXBPMNZAM": 'I', "008182709980000020033350276": 'C', "09980000020033": 'F',
		"008182709980000020045327276": 'N', "KV0MFQXMAL4W5ICNH": 'P', "WP8Z0": '9', "TBR": '1',
	} {
		if got := check([]byte(body)); got != want {
			t.Errorf("check character of %s is %c, want %c", body, got, want)
		}
	}
}

// NIST's samples for FF1 with radix 36 (SP 800-38G, samples 3, 6 and 9).
func TestFF1GivesNISTsSamples(t *testing.T) {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	for key, want := range map[string]string{
		"2B7E151628AED2A6ABF7158809CF4F3C":                                 "a9tv40mll9kdu509eum",
		"2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F":                 "xbj3kv35jrawxv32ysr",
		"2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94": "xs8a0azh2avyalyzuwd",
	} {
		k, _ := hex.DecodeString(key)
		tweak, _ := hex.DecodeString("3737373770717273373737")
		f, err := newFF1(k, tweak, 36, 19)
		if err != nil {
			t.Fatal(err)
		}
		number := func(s string) (v uint64) {
			for _, c := range s {
				v = v*36 + uint64(strings.IndexRune(digits, c))
			}
			return v
		}
		const plain = "0123456789abcdefghi"
		a, b := f.encrypt(number(plain[:9]), number(plain[9:]))
		if a != number(want[:9]) || b != number(want[9:]) {
			t.Errorf("%d-bit key: wrong halves %d %d", len(k)*8, a, b)
		}
		if a, b = f.decrypt(a, b); a != number(plain[:9]) || b != number(plain[9:]) {
			t.Errorf("%d-bit key: does not decrypt", len(k)*8)
		}
	}
}

func TestParseUndoesFormat(t *testing.T) {
	for _, f := range []Form{{}, opaque(t)} {
		for _, id := range []ID{1, 2, 1<<63 - 1, 1<<62 - 1, 1 << 62, 117915852988239909} {
			assertIdentity(t, f, id, malaysia)
		}
		for range 20_000 {
			i := rand.IntN(249) * 2
			assertIdentity(t, f, ID(rand.Int64()), Country{countries[i], countries[i+1]})
		}
	}
}

func assertIdentity(t *testing.T, f Form, id ID, origin Country) {
	t.Helper()
	n := f.Format(id, origin)
	if got, from, err := f.Parse(n); err != nil || got != id || from != origin {
		t.Fatalf("%s form: %d from %s is %s, which reads %d from %s, %v", f, id, origin, n, got, from, err)
	}
}

func TestPlainNumbersSortAsTheyWereIssued(t *testing.T) {
	previous := ""
	for id := ID(1); id > 0 && id < 1<<62; id = id*3/2 + 1 {
		n := (Form{}).Format(id, malaysia)
		if n <= previous {
			t.Fatalf("%s after %s", n, previous)
		}
		previous = n
	}
}

func TestOpaqueNumbersTellNothingToAnotherKey(t *testing.T) {
	f := opaque(t)
	other, err := Opaque([]byte("another secret of a good length"))
	if err != nil {
		t.Fatal(err)
	}
	if f.String() == other.String() || !strings.HasPrefix(f.String(), "opaque-") {
		t.Errorf("forms %s and %s", f, other)
	}
	read := 0
	const n = 4000
	for i := range n {
		if id, _, err := other.Parse(f.Format(ID(1e17)+ID(i), malaysia)); err == nil {
			read++
			if id == ID(1e17)+ID(i) {
				t.Fatal("another key read the ID")
			}
		}
	}
	if read > n*30/100 || read < n*20/100 { // 2^63 of 2^65
		t.Errorf("%d of %d foreign numbers passed as IDs, want about a quarter", read, n)
	}
	if _, err := Opaque([]byte("too short")); err == nil {
		t.Error("a 9-byte secret was accepted")
	}
}

func TestWhatPeopleMistypeIsRead(t *testing.T) {
	const id = ID(117915852988239909)
	for _, s := range []string{
		"038qbtzsc0m15my9", "038Q BTZS C0M1 5MY9", "038Q-BTZS-C0M1-5MY-9",
		"O38QBTZSCOMI5MY9", "o38qbtzscoml5my9",
	} {
		if got, _, err := (Form{}).Parse(s); err != nil || got != id {
			t.Errorf("%q reads %d, %v", s, got, err)
		}
	}
	// The check place may hold any of the 36; its look-alikes are one.
	seen := 0
	for id := ID(1); seen < 20; id++ {
		n := (Form{}).Format(id, malaysia)
		for _, pair := range []string{"O0", "0O", "1I", "1L", "I1", "L1", "IL"} {
			if n[15] == pair[0] {
				seen++
				if got, _, err := (Form{}).Parse(n[:15] + pair[1:]); err != nil || got != id {
					t.Errorf("%s typed with %c: %d, %v", n, pair[1], got, err)
				}
			}
		}
	}
}

func TestARefusalSaysWhichRuleFailed(t *testing.T) {
	for s, want := range map[string]error{
		"":                           ErrNumberLength,
		"038QBTZSC0M15MY":            ErrNumberLength,
		"038QBTZSC0M15MY99":          ErrNumberLength,
		"038QBTZSC0M15MY8":           ErrNumberCheck,
		"038QBTZSC0M15M9Y":           ErrNumberCheck,
		"03UQBTZSC0M15MY9":           ErrNumberCharacter,
		"038QBTZSC0M15MY_":           ErrNumberCharacter,
		"038QBTZSC0M15M\xff9":        ErrNumberCharacter,
		"٣38QBTZSC0M15MY9":           ErrNumberCharacter,
		withCheck("038QBTZSC0M15ZZ"): ErrNumberCountry,
		withCheck("838QBTZSC0M15MY"): ErrNumberRange,
		withCheck("Z38QBTZSC0M15MY"): ErrNumberRange,
	} {
		if _, _, err := (Form{}).Parse(s); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
}

func withCheck(body string) string { return body + string(check([]byte(body))) }

// Every single wrong character is refused; the only exceptions are those that
// the look-alikes of the check place allow, and they are counted (ADR 4).
func TestEverySingleWrongCharacterIsRefused(t *testing.T) {
	for _, f := range []Form{{}, opaque(t)} {
		tried, passed := 0, 0
		for range 300 {
			id := ID(rand.Int64())
			n := f.Format(id, malaysia)
			for i := range len(n) {
				for _, c := range []byte(checkAlphabet) {
					wrong := []byte(n)
					wrong[i] = c
					tried++
					got, _, err := f.Parse(string(wrong))
					if err != nil || got == id { // refused, or a look-alike of the same number
						continue
					}
					passed++
					if fold(n[15]) != '0' && fold(n[15]) != '1' {
						t.Fatalf("%s passes for %s", wrong, n)
					}
				}
			}
		}
		if rate := float64(passed) / float64(tried); rate > 0.008 {
			t.Errorf("%.4f of the corruptions pass", rate)
		}
	}
}

func TestNumbersAreNotTakenForAnotherCarriers(t *testing.T) {
	for range 1000 {
		n := (Form{}).Format(ID(rand.Int64()), malaysia)
		if n[0] > '7' { // DHL E-Commerce begins with a country code and a digit
			t.Fatalf("%s begins with a letter", n)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("038QBTZSC0M15MY9")
	f.Add("o38q-btzs comi 5my9")
	f.Add("")
	forms := []Form{{}, opaque(f)}
	f.Fuzz(func(t *testing.T, s string) {
		for _, form := range forms {
			id, origin, err := form.Parse(s)
			if err != nil {
				continue
			}
			n := form.Format(id, origin)
			if again, from, err := form.Parse(n); id < 0 || err != nil || again != id || from != origin {
				t.Fatalf("%q reads %d from %s, prints %s, reads %d, %v", s, id, origin, n, again, err)
			}
		}
	})
}
