package configs

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/alecthomas/units"
)

// setScalar reads text into v. Its errors say what would be right and do not repeat text, which may be secret.
func setScalar(v reflect.Value, text string) error {
	switch v.Interface().(type) {
	case time.Duration:
		return setDuration(v, text)
	case units.Base2Bytes:
		return setSize(v, text)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("wants true or false")
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return errors.New("wants a whole number, such as 64")
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("is a %s, which no key can be", v.Type())
	}
	return nil
}

func setDuration(v reflect.Value, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("wants a duration with its unit, such as 500ms, 30s, 5m or 12h")
	}
	if d < 0 {
		return errors.New("wants a duration that is not negative")
	}
	v.SetInt(int64(d))
	return nil
}

// size is stricter than units: MB means 1000² to some and 1024² to others, so only the clear names are taken.
var size = regexp.MustCompile(`^([0-9]{1,18})(B|KiB|MiB|GiB|TiB)$`)

func setSize(v reflect.Value, text string) error {
	if text == "0" {
		text = "0B"
	}
	m := size.FindStringSubmatch(text)
	if m == nil {
		return errors.New("wants a size with its unit, such as 512B, 64KiB, 10MiB or 1GiB")
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	unit := map[string]units.Base2Bytes{"B": 1, "KiB": units.KiB, "MiB": units.MiB, "GiB": units.GiB, "TiB": units.TiB}[m[2]]
	if err != nil || n > math.MaxInt64/int64(unit) {
		return errors.New("is more than any machine holds")
	}
	v.SetInt(n * int64(unit))
	return nil
}
