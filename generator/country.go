package generator

// Country is an ISO 3166-1 alpha-2 country code, such as MY.
type Country [2]byte

// countries are the 249 officially assigned codes of ISO 3166-1.
const countries = "" +
	"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ" +
	"CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFR" +
	"GAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJP" +
	"KEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMT" +
	"MUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURW" +
	"SASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUG" +
	"UMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW"

// assigned has a bit for each assigned second letter, by first letter.
var assigned = func() (set [26]uint32) {
	for i := 0; i < len(countries); i += 2 {
		set[countries[i]-'A'] |= 1 << (countries[i+1] - 'A')
	}
	return set
}()

// Assigned reports whether c is one of the codes that ISO 3166-1 assigns.
func (c Country) Assigned() bool {
	first, second := c[0]-'A', c[1]-'A'
	return first < 26 && second < 26 && assigned[first]>>second&1 == 1
}

// String is the code.
func (c Country) String() string { return string(c[:]) }
