//! Which filters there are.

use crate::{
    error::{Error, Result},
    filter_json, filter_number, filter_select, filter_sequence, filter_text, filter_wrap, pretty,
    value::{Args, Filter, Machine, Value},
};

/// The filter of this name.
pub(crate) fn filter(name: &str) -> Option<Filter> {
    Some(match name {
        "abs" => filter_number::abs,
        "attr" => filter_select::attr,
        "batch" => filter_sequence::batch,
        "capitalize" => filter_text::capitalize,
        "center" => filter_text::center,
        "count" | "length" => filter_sequence::length,
        "d" | "default" => filter_select::default,
        "dictsort" => filter_sequence::dictsort,
        "e" | "escape" => filter_text::escape,
        "filesizeformat" => filter_number::filesizeformat,
        "first" => filter_sequence::first,
        "float" => filter_number::float,
        "forceescape" => filter_text::forceescape,
        "format" => filter_text::format,
        "groupby" => filter_sequence::groupby,
        "indent" => filter_text::indent,
        "int" => filter_number::int,
        "items" => filter_sequence::items,
        "join" => filter_sequence::join,
        "last" => filter_sequence::last,
        "list" => filter_sequence::list,
        "lower" => filter_text::lower,
        "map" => filter_select::map,
        "max" => filter_sequence::max,
        "min" => filter_sequence::min,
        "pprint" => pretty::pprint,
        "random" => filter_sequence::random,
        "regex_replace" => filter_text::regex_replace,
        "reject" => filter_select::reject,
        "rejectattr" => filter_select::rejectattr,
        "replace" => filter_text::replace,
        "reverse" => filter_sequence::reverse,
        "round" => filter_number::round,
        "safe" => filter_text::safe,
        "select" => filter_select::select,
        "selectattr" => filter_select::selectattr,
        "slice" => filter_sequence::slice,
        "sort" => filter_sequence::sort,
        "string" => filter_text::string,
        "striptags" => filter_text::striptags,
        "sum" => filter_sequence::sum,
        "title" => filter_text::title,
        "tojson" => filter_json::tojson,
        "trim" => filter_text::trim,
        "truncate" => filter_text::truncate,
        "unique" => filter_sequence::unique,
        "upper" => filter_text::upper,
        "urlencode" => filter_text::urlencode,
        "urlize" => urlize,
        "wordcount" => filter_text::wordcount,
        "wordwrap" => filter_wrap::wordwrap,
        "xmlattr" => filter_text::xmlattr,
        _ => return None,
    })
}

fn urlize(_: &mut Machine, _: Value, _: Args) -> Result<Value> {
    Err(Error::unsupported("the filter urlize is not offered in templates"))
}
